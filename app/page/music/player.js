// Plays a tune and lights its notes as they sound. abcjs keeps the time, the synthesiser makes the sound.
import { abcjs } from "./abc.js";
import { Synth } from "./synth.js";

const LIT = "sounding";
const AHEAD_S = 0.06; // notes are set on the audio clock a little later than they are noticed: even timing beats early timing

export class Player {
  #timing = null;
  #synth = null;

  /** `onEnd()` when the tune is over or was stopped. */
  constructor(onEnd) {
    this.onEnd = onEnd;
  }

  get playing() {
    return this.#timing !== null;
  }

  /** From the beginning; `bpm` counts beats of the tune's metre. */
  async play(tune, bpm) {
    this.stop();
    tune.setUpAudio({ chordsOff: true }); // gives each note its MIDI pitch
    const synth = new Synth();
    this.#synth = synth;
    await synth.resume();
    if (this.#synth !== synth) return; // stopped meanwhile
    const whole_s = 60 / bpm / tune.getBeatLength();
    let began_s = null;
    this.#timing = new abcjs.TimingCallbacks(tune, {
      qpm: bpm,
      eventCallback: (event) => {
        if (!event) return this.stop();
        began_s ??= synth.now_s - event.milliseconds / 1000;
        light(event.elements.flat());
        for (const { pitch, duration } of event.midiPitches ?? []) {
          synth.play(pitch, began_s + event.milliseconds / 1000 + AHEAD_S, duration * whole_s);
        }
      },
    });
    this.#timing.start();
  }

  stop() {
    this.#timing?.stop();
    this.#synth?.close();
    this.#timing = this.#synth = null;
    light([]);
    this.onEnd();
  }
}

function light(elements) {
  document.querySelectorAll(`.${LIT}`).forEach((element) => element.classList.remove(LIT));
  elements.forEach((element) => element.classList.add(LIT));
}
