//! Your page.
