//! What evcxr takes for the process of the cells.
//!
//! evcxr writes what to run to its standard input and reads what came of it from its standard
//! output. The process that does the work belongs to the relay, which sees everything it prints; so
//! the bridge passes on lines, and its end is the end of that process, in both directions.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::names;

/// Passes on lines until either side ends.
///
/// # Errors
/// The relay is not there.
pub fn run() -> Result<(), String> {
    let path = std::env::var_os(names::BRIDGE_SOCKET).ok_or("the relay's socket is not named")?;
    let connect = || {
        UnixStream::connect(&path).map_err(|error| format!("the relay does not answer: {error}"))
    };
    let relay = connect()?;
    let to_relay = relay.try_clone().map_err(|error| error.to_string())?;
    std::thread::spawn(move || {
        pass(std::io::stdin().lock(), to_relay);
        // evcxr has closed it: it is gone, or starts anew.
        std::process::exit(0);
    });
    pass(relay, std::io::stdout().lock());
    // The process of the cells has ended. The relay says so; a word here would be taken for the
    // cell's.
    std::process::exit(1);
}

/// Every byte as soon as it is there.
fn pass(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to
            .write_all(&buffer[..length])
            .and_then(|()| to.flush())
            .is_err()
        {
            return;
        }
    }
}
