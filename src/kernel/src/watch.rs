//! Ending with the process that started this one, however that ended.

use std::os::unix::process::parent_id;
use std::time::Duration;

use crate::names;

const EVERY: Duration = Duration::from_millis(500);

/// Calls `gone` once when the parent is another process than the one whose number the variable
/// `name` holds.
pub fn parent(name: &str, gone: impl FnOnce() + Send + 'static) {
    let Some(expected) = std::env::var(name)
        .ok()
        .and_then(|number| number.parse::<u32>().ok())
    else {
        return;
    };
    std::thread::spawn(move || {
        while parent_id() == expected {
            std::thread::sleep(EVERY);
        }
        gone();
    });
}

/// Ends this process as soon as the relay is gone.
pub fn end_with_parent() {
    parent(names::PARENT, || std::process::exit(1));
}
