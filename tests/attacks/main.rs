//! Attacks against values of torchattacks and foolbox, against closed forms and laws, and against
//! bad input.

mod apgd;
mod autoattack;
mod common;
mod gradients;
mod laws;
mod reference;
mod refusals;
mod sure;
mod sweeps;
