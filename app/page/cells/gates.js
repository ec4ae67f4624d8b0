// What each map shows: its name, its equation and a sentence. Subscripts are written as in `h_t`.

const squashed = (gate) => `σ(W_${gate} x_t + U_${gate} h_t−1 + b_${gate})`;

/** Cell -> its maps in the order of their rows; `null` leaves a row to a note. `low` is -1 or 0; without `high` it is the largest value. */
export const CELLS = {
  rnn: {
    title: "RNN",
    about: "Elman 1990. One layer that mixes the word into the state.",
    maps: [
      {
        name: "state", title: "State", symbol: "h", low: -1, high: 1,
        equation: "h_t = tanh(W x_t + U h_t−1 + b)",
        sentence: "The whole memory, squashed anew at every word. The verdict is read from it.",
      },
    ],
    note: "There is no gate. What is to stay must survive U and tanh at every single word, and on the way back so must the gradient, " +
      "which shrinks each time. Look how much of a strong word is left some words later, and compare with the cell state of the LSTM.",
  },
  lstm: {
    title: "LSTM",
    about: "Hochreiter and Schmidhuber 1997. A memory that is added to, behind three gates.",
    maps: [
      {
        name: "state", title: "State", symbol: "h", low: -1, high: 1,
        equation: "h_t = o_t ⊙ tanh(c_t)",
        sentence: "What is shown of the memory. The verdict is read from it, and the gates see it at the next word.",
      },
      {
        name: "cell", title: "Cell state", symbol: "c", low: -1,
        equation: "c_t = f_t ⊙ c_t−1 + i_t ⊙ g_t",
        sentence: "The memory. Nothing squashes it from word to word, so what stands there can stay for long.",
      },
      {
        name: "forget", title: "Forget gate", symbol: "f", low: 0, high: 1,
        equation: `f_t = ${squashed("f")}`,
        sentence: "How much of each unit’s memory stays: 1 keeps all of it, 0 wipes it out.",
      },
      {
        name: "input", title: "Input gate", symbol: "i", low: 0, high: 1,
        equation: `i_t = ${squashed("i")}`,
        sentence: "How much of the candidate is written into the memory at this word.",
      },
      {
        name: "candidate", title: "Candidate", symbol: "g", low: -1, high: 1,
        equation: "g_t = tanh(W_g x_t + U_g h_t−1 + b_g)",
        sentence: "What could be written: the same sum as in the RNN, but it must pass the input gate.",
      },
      {
        name: "output", title: "Output gate", symbol: "o", low: 0, high: 1,
        equation: `o_t = ${squashed("o")}`,
        sentence: "How much of the memory is shown. What is kept need not be shown at once.",
      },
    ],
  },
  gru: {
    title: "GRU",
    about: "Cho et al. 2014. The same idea with two gates and no second memory.",
    maps: [
      {
        name: "state", title: "State", symbol: "h", low: -1, high: 1,
        equation: "h_t = z_t ⊙ h_t−1 + (1 − z_t) ⊙ n_t",
        sentence: "Memory and output in one. The verdict is read from it.",
      },
      null,
      {
        name: "update", title: "Update gate", symbol: "z", low: 0, high: 1,
        equation: `z_t = ${squashed("z")}`,
        sentence: "How much of the old state stays; the candidate gets the rest. Forget and input gate in one.",
      },
      {
        name: "reset", title: "Reset gate", symbol: "r", low: 0, high: 1,
        equation: `r_t = ${squashed("r")}`,
        sentence: "How much of the old state the candidate may see: at 0 it begins with the word alone.",
      },
      {
        name: "candidate", title: "Candidate", symbol: "n", low: -1, high: 1,
        equation: "n_t = tanh(W_n x_t + b_n + r_t ⊙ (U_n h_t−1 + d_n))",
        sentence: "What could be the new state.",
      },
    ],
    gap: "No second memory: the state is kept and shown as it is.",
    note: "No output gate: the state is shown whole.",
  },
};
