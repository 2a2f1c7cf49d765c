"""How the window looks: its colours, taken from the system's palette, dark or light, and the style of its controls."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QColor, QPalette

TINTS = {
    "keep": QColor(31, 169, 113),
    "erase": QColor(229, 72, 77),
    "hair": QColor(150, 105, 240),
    "box": QColor(59, 130, 246),
    "keep_part": QColor(31, 169, 113),
    "drop_part": QColor(229, 72, 77),
}
"""The colour of a stroke before the answer has come, by the edit's tool."""


@dataclass(frozen=True)
class Colours:
    """The colours that the window derives from a palette."""

    window: QColor
    """Bars and columns."""
    canvas: QColor
    """Around the picture."""
    text: QColor
    dim: QColor
    line: QColor
    hover: QColor
    accent: QColor
    accent_text: QColor
    chosen: QColor
    """Behind the chosen tool."""


def colours(palette: QPalette) -> Colours:
    """Return the colours for a palette."""
    window, text = palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.WindowText)
    accent = palette.color(QPalette.ColorRole.Highlight)
    is_dark = window.lightness() < text.lightness()
    return Colours(
        window=window,
        canvas=mix(window, QColor("black"), 0.35) if is_dark else mix(window, QColor("black"), 0.08),
        text=text,
        dim=mix(text, window, 0.35),
        line=mix(window, text, 0.14),
        hover=mix(window, text, 0.08),
        accent=accent,
        accent_text=palette.color(QPalette.ColorRole.HighlightedText),
        chosen=mix(window, accent, 0.28),
    )


def mix(first: QColor, second: QColor, share: float) -> QColor:
    """Return a colour between two: `share` of the second."""
    pairs = zip(first.getRgb()[:3], second.getRgb()[:3], strict=True)  # type: ignore[index]  # a tuple of 4
    return QColor(*(round(one + (other - one) * share) for one, other in pairs))


def style_sheet(palette: QPalette) -> str:
    """Return the style of the window's controls for a palette."""
    look = colours(palette)
    names = {
        "WINDOW": look.window,
        "TEXT": look.text,
        "DIM": look.dim,
        "LINE": look.line,
        "HOVER": look.hover,
        "ACCENT_TEXT": look.accent_text,
        "ACCENT": look.accent,
        "PRESSED": mix(look.accent, look.text, 0.2),
        "CHOSEN": look.chosen,
    }
    text = _STYLE
    for name, colour in names.items():
        text = text.replace(f"@{name};", f"{colour.name()};")
    return text


_STYLE = """
QToolButton, QPushButton {
  color: @TEXT; background: transparent; border: 2px solid transparent; border-radius: 7px; padding: 5px 9px;
}
QToolButton:hover, QPushButton:hover { background: @HOVER; }
QToolButton:pressed, QToolButton:checked, QPushButton:checked { background: @CHOSEN; }
QToolButton:focus, QPushButton:focus { border-color: @ACCENT; }
QToolButton:disabled, QPushButton:disabled { color: @LINE; }
#tool { text-align: left; padding: 8px 10px; font-size: 14px; }
#tool:checked { font-weight: 600; }
#switch { border: 2px solid @LINE; padding: 5px 2px; }
#switch:checked { background: @CHOSEN; border-color: @ACCENT; font-weight: 600; }
#swatch { padding: 3px; }
#plain { border: 2px solid @LINE; }
#plain:focus { border-color: @ACCENT; }
#primary {
  background: @ACCENT; color: @ACCENT_TEXT; font-size: 16px; font-weight: 600; padding: 9px 34px; border-radius: 9px;
}
#primary:hover, #primary:pressed { background: @PRESSED; color: @ACCENT_TEXT; }
#primary:disabled { background: @LINE; color: @DIM; }
#primary:focus { border-color: @TEXT; }
#bar { background: @WINDOW; }
#dim { color: @DIM; }
#heading { font-size: 22px; font-weight: 600; }
#sentence { font-size: 16px; }
#section { color: @DIM; font-size: 12px; }
QFrame#line { background: @LINE; border: none; }
QListView { background: transparent; border: none; }
QProgressBar { border: none; background: transparent; max-height: 3px; min-height: 3px; }
QProgressBar::chunk { background: @ACCENT; }
"""
