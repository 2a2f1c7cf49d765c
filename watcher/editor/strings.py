"""Every text that this wing shows a person, in one place for a translator: the window, its tools, the review grid.

`{key}` in a tooltip is the key that does the same.
"""

from __future__ import annotations

APP = "nobg"
TITLE = "{name}[*] - Touch up"
TITLE_EMPTY = "Touch up"
TITLE_REVIEW = "Which want a look?"
TOOLTIP = "{text} ({key})"

# The tools: name, tooltip, and what to do with them
TOOLS = {
    "keep": ("Keep", "Paint over what belongs to the subject", "Paint over what should stay."),
    "erase": ("Erase", "Paint over what should go", "Paint over what should go."),
    "hair": ("Hair", "Paint over hair and fur: nobg looks again", "Paint loosely along the ends of hair or fur."),
    "box": ("Box", "Keep only what is in a box", "Drag a box around what should stay."),
    "part": ("Click a part", "Drop a part, or bring it back", "Click a part to drop it, or to bring it back."),
    "way": ("Another way", "Start from another automatic cut-out", "Choose the best start below the picture."),
}
BOX_REMOVE = "Remove the box"
BOX_REMOVE_TIP = "Keep what is outside the box, too"
SWAP_HINT = "The right button, or Alt, does the opposite."

# The brush
SIZE, SIZE_TIP, SIZE_VALUE = "Size", "Size of the brush", "{size} px"
SOFTNESS, SOFTNESS_TIP, SOFTNESS_VALUE = "Softness", "Softness of the brush's edge", "{percent} %"
SMART, SMART_TIP = "Smart", "What belongs to your stroke follows it"
EXACT, EXACT_TIP = "Exact", "Only what you paint over changes"
SMART_HINT = "Rough strokes do: what belongs to them follows."
EXACT_HINT = "Only what is under the brush changes."

# The top
UNDO, UNDO_TIP = "Undo", "Take the last change back"
REDO, REDO_TIP = "Redo", "Make the change again"
BACK, BACK_TIP = "Back", "Back to the list"
VIEW = "View"
VIEWS = {
    "checkerboard": "On a checkerboard",
    "white": "On white",
    "black": "On black",
    "colour": "On a colour: once more to choose another",
    "recipe": "On the background of the recipe",
    "mask": "The mask alone",
    "original": "The original shines through",
}
CHOOSE_COLOUR = "Colour behind the picture"
FIT, FIT_TIP = "Fit", "Show the whole picture"
FULL, FULL_TIP = "100 %", "One pixel of the picture is one of the screen"
ZOOM_IN, ZOOM_OUT = "Zoom in", "Zoom out"
PERCENT = "{percent} %"
COMPARE, COMPARE_TIP = "Before", "Hold to see the photo as it was"
PREVIEW, PREVIEW_TIP = "Result", "Show the whole result: crop, canvas, shadow"
PREVIEW_FAILED = "nobg could not make the result."
PREVIEW_HINT = "This is what Save writes. Choose a tool to go on."

# The bottom
SAVE, SAVE_TIP = "Save", "Write the cut-out"
SAVING = "Saving…"
SAVED = "Saved: {name}"
RECIPE, RECIPE_TIP = "Kind of output", "What Save writes"
NOT_SAVED = "nobg could not save the cut-out."
OPENING = "Opening the picture…"
LOOKING = "Looking at the picture…"
WORKING = "Working…"
FAILED = "That did not work. Try another stroke, or undo it."
FULL_LIST = "This picture has as many changes as nobg can keep. Undo some."
NO_SUBJECT_BOX = "Show nobg where: drag a box around what should stay."

# Another way
WAYS = "Choose where to start"
WAY_NAMES = {
    "fast": "Fast",
    "balanced": "Balanced",
    "best": "Best",
    "isnet-int8": "IS-Net",
    "u2net-int8": "U2-Net",
    "modnet-int8": "MODNet",
}
NO_WAYS = "No other way yet: nobg is still looking."

# Closing
CLOSE_QUESTION = "Save the cut-out before you close?"
CLOSE_DETAIL = "nobg keeps your strokes either way."
CLOSE_WITHOUT = "Close without saving"
CANCEL = "Cancel"
CLOSE = "Close"

# For a screen reader
CANVAS_NAME = "Picture {name}, {width} by {height} pixels"
CANVAS_STATE = "{tool}; {view}; {zoom} %; {count} changes"
CANVAS_EMPTY = "No picture"

# The review grid
REVIEW_HEADING = "Which want a look?"
REVIEW_COUNT = ("1 picture, the most doubtful first", "{count} pictures, the most doubtful first")
REVIEW_EMPTY = "All looked at"
REVIEW_EMPTY_DETAIL = "No cut-out wants a look. You can close this window."
REVIEW_KEYS, KEY, KEY_SEPARATOR = "Arrows: choose", "{key}: {text}", "   "
ACCEPT, ACCEPT_TIP = "Accept", "The cut-out is good"
TOUCH_UP, TOUCH_UP_TIP = "Touch up", "Open it and paint"
TRY_BEST, TRY_BEST_TIP = "Try best", "Do it again in the mode best"
UNDO_JOB, UNDO_JOB_TIP = "Undo", "Put the cut-out into the trash"
TRYING = "Trying best…"
CARD = "{name}. {why}"
REVIEW_FAILED = "That did not work. Look at the history."

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


def counted(texts: tuple[str, str], count: int) -> str:
    """Return the first text for a count of one, the second for every other count."""
    return texts[count != 1].format(count=count)


def with_key(text: str, key: str) -> str:
    """Return a tooltip that names its key."""
    return TOOLTIP.format(text=text, key=key)
