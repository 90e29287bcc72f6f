//! Data sets: sources, verification, readers, batches; on small files made here. No test here uses
//! a network, but the ignored one: `cargo test --test datasets -- --ignored from_the_network`.

mod batches;
mod by_hand;
mod common;
mod fetching;
mod own;
mod real_data;
mod sets;
mod sources;
