"""What may come next in the notes of a tune: a strict part of ABC notation that players read without a complaint.

No fields but P: between parts, no overlays, no lyrics; one slur at a time; triplets of equal notes. When few characters are
left, ever less may begin, so that the tune comes to its end: no new part, an end after a multiple of four bars, the next
possible end, and at last notes as long as the bar takes.
"""

from collections.abc import Callable

from app.tasks.abc_at import At
from app.tasks.abc_body import NOTES, PARTS, Body
from app.tasks.abc_header import WORDS
from app.tasks.abc_pace import Pace, pace_of
from app.tasks.abc_words import CHORD_GRID, CHORD_NAMES, LONGEST, length_moves, longest_up_to

END = "\0"
"""Stands for the end of the tune among the characters."""

_ORNAMENTS = "Tuv"
_BREAKABLE = (2, 4, 8, 16)  # quarters: three halves of these can be written as one dotted note
_MOST_GRACES, _MOST_IN_CHORD, _MOST_ORNAMENTS, _MOST_SLURRED_BARS = 3, 4, 2, 1
# Some editions align their bars with spaces. Within a bar a model that misses its bar line would fill in without an end.
_MOST_SPACES, _MOST_SPACES_IN_BAR = 12, 3


def permitted(body: Body, left: int) -> str:
    """The characters that keep the tune well-formed, with `left` characters to go, the end counted as one."""
    # Only a prompt can leave nothing, such as a bar too short: a note, then.
    return _MOVES[body.at](body, pace_of(body, left)) or body.tied_to[:1] or NOTES


def _gap(body: Body, pace: Pace) -> str:
    if body.rhythm.tuplet_left or body.rhythm.broken_quarters:
        return _note_starts(body, pace)
    if body.second_ending_due:
        return "["
    if _must_close(body, pace):
        return _bars(body, pace)
    over = not body.bars.repeating and not body.bars.ending
    if body.parts_due and body.line_empty and not (body.begun or body.spaces):
        return "P"
    if body.ended and over and pace:
        return "P" if _has_parts_to_come(body, pace) else END
    if body.final and over and pace:
        return "\n"
    ends = body.ended and over and not body.spaces
    moves = END if ends and not body.parts_due else ""
    moves += "P" if ends or not (body.begun or body.spaces) else ""
    return moves + _note_starts(body, pace) + _bars(body, pace) + _spacing(body, pace)


def _has_parts_to_come(body: Body, pace: Pace) -> bool:
    """Whether another part of the header's order still fits."""
    return bool(body.parts_due) and pace < Pace.TIGHT


def _spacing(body: Body, pace: Pace) -> str:
    if pace >= Pace.HURRY:
        return ""
    if body.slurred > 0 and not body.bars.rest and not _may_slur_on(body, pace):
        return ""
    in_bar = body.bars.played > 0 and not body.bars.whole
    spaces = " " * (body.spaces < (_MOST_SPACES_IN_BAR if in_bar else _MOST_SPACES))
    if body.line_empty or (body.tied_to and not body.after_bar):
        return spaces
    return spaces + "\n" + "\\!" * body.after_bar


def _note_starts(body: Body, pace: Pace) -> str:
    room = body.rhythm.room_quarters()
    if not room and not body.rhythm.tuplet_left:
        return ""
    if body.tied_to:
        return body.tied_to[0]
    if pace >= Pace.HURRY:
        return NOTES + "z"
    starts = NOTES + "^_=z" + _ornaments(body, room) + '"' * (not body.named)
    if body.rhythm.tuplet_left or body.rhythm.broken_quarters:
        return starts
    starts += "[" + "{" * (room >= 2 and not body.lone_letter)
    return starts + "(" * (body.slurred < 0 or room >= 2)


def _closes(body: Body) -> bool:
    """Whether the part may end here."""
    if body.tied_to or body.slurred >= 0:
        return False
    bars = body.bars
    if bars.repeating:
        return bars.takes_end_of_repeat() and not body.lone_letter
    return bars.takes_end_of_part() and bars.played > 0


def _must_close(body: Body, pace: Pace) -> bool:
    if pace < Pace.LAST_PHRASE or not _closes(body):
        return False
    return pace >= Pace.HURRY or (body.bars.of_part + 1) % 4 == 0


def _bars(body: Body, pace: Pace) -> str:
    bars = body.bars
    colon = ":" * (bars.repeating and _closes(body))
    if colon and _must_close(body, pace):
        return colon
    begins_line = body.line_empty and bars.takes_empty()
    line = begins_line or (
        bars.played > 0 and bars.takes_single() and (body.slurred < 0 or body.at is At.GAP or _may_slur_on(body, pace))
    )
    return colon + "|" * (line or (_closes(body) and not bars.repeating) or _begins_repeat(body, pace))


def _may_slur_on(body: Body, pace: Pace) -> bool:
    return pace < Pace.HURRY and body.slurred > 0 and body.slurred_bars < _MOST_SLURRED_BARS


def _begins_repeat(body: Body, pace: Pace) -> bool:
    return pace == Pace.FREE and _may_begin_repeat(body)


def _may_begin_repeat(body: Body) -> bool:
    return not body.tied_to and body.slurred < 0 and body.bars.takes_start_of_repeat()


def _bar(body: Body, pace: Pace) -> str:
    bars = body.bars
    moves = ""
    if bars.played and not body.tied_to and body.slurred < 0 and bars.takes_end_of_part():
        moves += "|" + "]" * (not bars.repeating)
    if moves and _must_close(body, pace) and not bars.repeating:
        return moves
    moves += ":" * _begins_repeat(body, pace)
    if not (bars.takes_single() if bars.played else bars.takes_empty()):
        # This line can only begin a repeat, and has to even if none would be begun from here on.
        return moves or ":" * _may_begin_repeat(body)
    if pace == Pace.FREE and not body.tied_to and body.slurred < 0 and bars.takes_first_ending():
        moves += "1"
    if body.tied_to:
        return moves + body.tied_to[0] + " \n"
    plain = NOTES + "z"
    if pace < Pace.HURRY:
        plain += "^_=" + _ornaments(body, LONGEST) + '"[{ ' + "\n\\!" * (bars.played > 0) + "(" * (body.slurred < 0)
    return moves + plain


def _colon(body: Body, pace: Pace) -> str:
    if not (body.bars.played or body.bars.of_part):
        return _note_starts(body, pace)  # an editor's, behind :| and a line end
    return "|" + ":" * (pace == Pace.FREE and not body.bars.ending)


def _repeated(body: Body, pace: Pace) -> str:
    return "2" + "[ " * (pace < Pace.HURRY) if body.second_ending_due else _gap(body, pace)


def _bracket(body: Body, _: Pace) -> str:
    if body.second_ending_due:
        return "2"
    return NOTES + "^_=" + "1" * body.first_ending_fits


def _before_note(body: Body, pace: Pace) -> str:
    if body.rhythm.graces or body.ornaments:
        return NOTES + ("" if pace >= Pace.HURRY else "^_=" + _ornaments(body, body.rhythm.room_quarters()))
    return _note_starts(body, pace)


def _ornaments(body: Body, room: int) -> str:
    if len(body.ornaments) >= _MOST_ORNAMENTS:
        return ""
    # abc2midi plays a dot and a roll as several notes, to which it can tie nothing and apply no broken rhythm.
    played = not (body.rhythm.graces or body.rhythm.broken_quarters or body.rhythm.hornpipe or body.ornaments)
    roll = played and not body.rhythm.tuplet_left and room > 1
    return _ORNAMENTS + "." * played + "~" * roll


def _bars_rest(_: Body, __: Pace) -> str:
    return "|"


def _open(body: Body, pace: Pace) -> str:
    # Within a slur nothing else may follow, even if the hurry has begun with this character.
    triplet = "3" * (body.rhythm.room_quarters() >= 2 and (pace < Pace.HURRY or body.slurred >= 0))
    if body.slurred >= 0:
        return triplet or NOTES
    return triplet + _note_starts(body, pace).replace("(", "(" if triplet else "")


def _note(body: Body, pace: Pace) -> str:
    if body.matching != body.pitch and body.matching.startswith(body.pitch) and not body.text:
        return body.matching[len(body.pitch)]
    if body.inner and not body.text:
        return _after_note(body, pace)  # players differ in what another length behind the chord would mean
    least, most = body.rhythm.least_quarters, body.rhythm.most_quarters
    if pace >= Pace.HURRY and least < most:
        most = min(most, max(least, body.rhythm.quarters_to_end()))
        least = max(least, longest_up_to(most)) if pace == Pace.TIGHT else least
    moves, stops = length_moves(body.text, least, most)
    if not moves and not stops:
        moves, stops = length_moves(body.text, body.rhythm.least_quarters, body.rhythm.most_quarters)
    if not body.text and len(body.pitch) == 1 and not body.matching and pace < Pace.HURRY:
        moves += "'" if body.pitch.islower() else ","
    if stops or not moves:
        moves += _after_note(body, pace)
    return moves


def _after_note(body: Body, pace: Pace) -> str:
    if pace >= Pace.HURRY and body.slurred > 0:
        return ")"
    moves = _gap(body, pace) + ")" * (body.slurred > 0)
    if pace >= Pace.HURRY or body.rhythm.tuplet_left:
        return moves
    if "." in body.ornamented or "~" in body.ornamented:
        return moves
    if body.rhythm.breakable_quarters in _BREAKABLE:
        moves += ">" + "<" * (body.rhythm.breakable_quarters > 2 * body.rhythm.graced)
    ties = body.pitch and pace == Pace.FREE and "T" not in body.ornamented and (body.bars.rest or body.bars.takes_single())
    return moves + "-" * bool(ties)


def _chord(body: Body, pace: Pace) -> str:
    if body.accidental:
        return NOTES
    if body.text:  # only a prompt gives a chord's note a length, and then all have to have it
        return body.text[len(body.own_length) :][:1] or "]"
    more = NOTES + "^_=" if body.several < _MOST_IN_CHORD and not (body.several and pace >= Pace.HURRY) else ""
    return more + "]" * (body.several > (0 if pace >= Pace.HURRY else 1))


def _grace(body: Body, pace: Pace) -> str:
    if body.accidental:
        return NOTES
    most = min(_MOST_GRACES, body.rhythm.room_quarters() - 1)
    more = NOTES + "^_=" if body.several < most and not (body.several and pace >= Pace.HURRY) else ""
    return more + "}" * (body.several > 0)


def _name(body: Body, pace: Pace) -> str:
    closes = '"' * (body.text in CHORD_NAMES)
    if closes and pace >= Pace.HURRY:
        return closes
    names = body.chord_names and body.bars.fits_grid(CHORD_GRID)
    following = CHORD_NAMES.after(body.text) if names else "012345" * (not body.text)
    return following + closes or ("ABCDEFG" if body.text.endswith("/") else '"')


def _accidental(_: Body, __: Pace) -> str:
    return NOTES


def _line_end(_: Body, __: Pace) -> str:
    return "\n"


def _letter(body: Body, pace: Pace) -> str:
    return ":" if body.letter == "P" else _before_note(body, pace)


def _field(body: Body, _: Pace) -> str:
    if body.letter == "P":
        return "\n" if body.text.strip() else _next_parts(body)
    words = WORDS.get(body.letter)
    text = body.text.removeprefix(" ")
    return (words.after(text) + "\n" * (text in words) if words else "") or "\n"


def _next_parts(body: Body) -> str:
    if body.parts_due:
        return body.parts_due[0]
    return PARTS.partition(body.part)[2] or PARTS if body.part else PARTS


def _skip(body: Body, _: Pace) -> str:
    return body.until


_MOVES: dict[At, Callable[[Body, Pace], str]] = {
    At.GAP: _gap,
    At.NOTE: _note,
    At.BARS_REST: _bars_rest,
    At.BEFORE_NOTE: _before_note,
    At.ACCIDENTAL: _accidental,
    At.OPEN: _open,
    At.BAR: _bar,
    At.COLON: _colon,
    At.REPEATED: _repeated,
    At.BRACKET: _bracket,
    At.CHORD: _chord,
    At.NAME: _name,
    At.GRACE: _grace,
    At.LINE_END: _line_end,
    At.LETTER: _letter,
    At.FIELD: _field,
    At.SKIP: _skip,
}
