//! Who sees what: the engine against a second evaluator, and what has a life of its own (emergencies, share links).

mod histories;
mod lives;
mod matrix;
mod oracle;
mod world;
