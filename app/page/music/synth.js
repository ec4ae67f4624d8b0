// A small synthesiser: every note two oscillators and an envelope. Nothing is fetched.

const ATTACK_S = 0.012;
const RELEASE_S = 0.12;
const PARTIALS = [["triangle", 1, 0.7], ["sine", 2, 0.2]];

export class Synth {
  #context = new AudioContext();
  #out = new DynamicsCompressorNode(this.#context);

  constructor() {
    this.#out.connect(this.#context.destination);
  }

  get now_s() {
    return this.#context.currentTime;
  }

  /** The browser lets sound begin only after a press of a button. */
  resume() {
    return this.#context.resume();
  }

  close() {
    return this.#context.close();
  }

  /** `pitch` is a MIDI number, `at_s` on the clock of `now_s`. */
  play(pitch, at_s, duration_s, volume = 0.3) {
    const [start, end] = [Math.max(at_s, this.now_s), at_s + Math.max(duration_s, 0.05)];
    const envelope = new GainNode(this.#context, { gain: 0 });
    envelope.gain.setValueAtTime(0, start);
    envelope.gain.linearRampToValueAtTime(volume, start + ATTACK_S);
    envelope.gain.exponentialRampToValueAtTime(volume / 3, Math.max(end, start + 2 * ATTACK_S));
    envelope.gain.linearRampToValueAtTime(0, end + RELEASE_S);
    envelope.connect(this.#out);
    for (const [type, multiple, share] of PARTIALS) {
      const frequency = 440 * 2 ** ((pitch - 69) / 12) * multiple;
      const oscillator = new OscillatorNode(this.#context, { type, frequency });
      oscillator.connect(new GainNode(this.#context, { gain: share })).connect(envelope);
      oscillator.start(start);
      oscillator.stop(end + RELEASE_S);
    }
  }
}
