// Beginnings of tunes, written for this page.

export const TUNES = {
  Jig: "X:1\nT:Morning at the Gate\nM:6/8\nL:1/8\nK:G\nG2B dBG | AGA B2d | ",
  Reel: "X:1\nT:The Lodge\nM:4/4\nL:1/8\nK:D\nA2FA d2fd | edcB AFED | ",
  Waltz: "X:1\nT:Lanterns\nM:3/4\nL:1/8\nK:Am\nE2 | A4 B2 | c2 B2 A2 | ",
  "Only a head": "X:1\nT:Evening\nM:2/4\nL:1/8\nK:C\n",
};
