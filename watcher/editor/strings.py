"""Every text that this wing shows a person, in one place for a translator: the window, its tools, the review grid."""

from __future__ import annotations

# What the host says in the window
OPENING_FILE = "Opening {name}…"
SAVING_FILE = "Saving…"
TRYING_BEST = "Trying best…"
ALREADY_OPEN = "{name} is already open in another window. Go on there, or close it first."
PHOTO_GONE = (
    "The photo that {name} was made from is gone, or has changed. It was at {path}. "
    "To touch up the cut-out, put the photo back there."
)
PHOTO_CHANGED = "The photo has changed since you opened it. Close this window, and open the photo again."
WORKER_RESTARTED = "The part of nobg that computes has ended. nobg has started it again; nothing is lost."
WORKER_FAILS = (
    "The part of nobg that computes ends each time at this step. What you did last is kept; undo it, or try again."
)
EDITS_NOT_KEPT = "What you did cannot be stored now: {text}"
SAVE_FAILED = "It was not saved: {text}"
NO_JOB = "The records of this picture are gone."
EVERYTHING_DROPPED = "Nothing of the photo would be left, so nothing was written. Keep a part of it first."
RECIPE_DEFAULT = "As usual"
RECIPE_OF_CUT_OUT = "As this cut-out"
RECIPE_LABELS = {
    "transparent": "Transparent",
    "white": "White background",
    "crop": "Crop to subject",
    "mask": "Mask only",
}
NO_PHOTO = "No photo is open."
NONSENSE = "nobg's window asked for something impossible. Please report it."
