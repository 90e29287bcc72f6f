//! The kernel, used by real clients with nothing set: the tests in `tests/kernel`, which are
//! Python's.
//!
//! They need the Jupyter environment and the kernel that `cargo run -- setup` makes, and take about
//! three minutes.

#[path = "common/pytest.rs"]
mod pytest;

#[test]
fn real_clients_find_a_kernel_that_behaves() {
    pytest::pytest("kernel");
}
