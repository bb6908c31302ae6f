//! Turns chapters into pages.
