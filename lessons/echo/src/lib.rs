//! The exercises of the chapter `echo`. The experiments are in `main.rs`.
