//! Attacks against values of torchattacks and foolbox, against closed forms and laws, and against
//! bad input.

mod apart;
mod apgd;
mod autoattack;
mod common;
mod gradients;
mod laws;
mod minimal;
mod reference;
mod refusals;
mod square;
mod sure;
mod sweeps;
