//! The Jupyter kernel of isopath's notebooks: evcxr_jupyter, behind a relay that every Jupyter tool
//! can trust.
//!
//! ```text
//!   Jupyter client ── relay ── engine (evcxr_jupyter: compiles cells, completes, explains)
//!                       │         │ starts, and tells to run
//!                       │      bridge
//!                       └── cells' process (prints, panics, shows figures)
//! ```
//!
//! One program plays every part but the last. evcxr_jupyter starts its own executable again for the
//! process of the cells and as a wrapper of rustc, and rust-analyzer, inside it, asks cargo what
//! the packages are; so the part follows from how the program is called:
//!
//! | called | part |
//! |---|---|
//! | by evcxr_jupyter, for the process of the cells | [`bridge`]: connects evcxr to the process that the relay keeps |
//! | as `cargo` or `rustup`, by evcxr and rust-analyzer | [`cargo`]: describes only the packages that a cell can name |
//! | by the relay, with `--control_file` | evcxr_jupyter itself |
//! | otherwise, with a connection file | [`relay`]: what Jupyter talks to |
//!
//! The process of the cells is a program of its own (`cells`), since it has to share the standard
//! library with the cells.

mod bridge;
mod cargo;
mod names;
mod relay;
mod watch;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let first = arguments.next();
    let is_called = |name| {
        Path::new(&program)
            .file_stem()
            .is_some_and(|stem| stem == name)
    };
    let is_set = |name| std::env::var_os(name).is_some();
    let result = if is_set(names::STOCK) {
        engine()
    } else if is_set(names::EVCXR_IS_RUNTIME) {
        bridge::run()
    } else if is_called("cargo") {
        cargo::run()
    } else if is_called("rustup") {
        cargo::run_rustup()
    } else if is_set(names::EVCXR_RUSTC_WRAPPER) {
        engine()
    } else if first
        .as_ref()
        .is_some_and(|first| first == "--control_file")
    {
        watch::end_with_parent();
        engine()
    } else if let Some(connection_file) = first {
        relay::run(Path::new(&connection_file))
    } else {
        Err(
            "usage: isopath-kernel CONNECTION_FILE; Jupyter starts it by `isopath kernel`"
                .to_owned(),
        )
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(feature = "engine")]
fn engine() -> Result<(), String> {
    evcxr_jupyter::main().map_err(|error| format!("{error:#}"))
}

#[cfg(not(feature = "engine"))]
fn engine() -> Result<(), String> {
    Err("this build has no engine: build it with the feature `engine`".to_owned())
}
