//! The process that runs the cells.
//!
//! evcxr compiles each cell to a library; the relay names it here, and this process loads and runs
//! it. It takes the place of the one that evcxr_jupyter brings, and differs in this:
//!
//! - It is linked with the standard library as the cells are, dynamically, and so has one standard
//!   output with them: text without a final newline comes before the end of its cell, not within
//!   the next.
//! - What is to be run comes by a socket. Standard input is empty, so that a cell that reads it
//!   gets the end of it at once; and a path may have spaces.
//! - The end of a cell is marked on both streams, so that none of its text is taken for the next
//!   one's.
//! - A panic is reported with its message and place, without the frames of the runtime.
//! - It ends with the kernel.
//!
//! The standard library alone is used: it must be compiled by the cells' own compiler, together
//! with the crate.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::panic::PanicHookInfo;
use std::time::Duration;

/// Begins every line that is meant for the relay; no text has it.
const MARK: char = '\u{1e}';
const RTLD_LAZY: c_int = 1;
const SIGKILL: c_int = 9;

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, symbol: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
    fn fflush(stream: *mut c_void) -> c_int;
    fn kill(process: c_int, signal: c_int) -> c_int;
}

/// What evcxr makes of a cell: takes the variables of the cells before, gives those for the cells
/// after.
type Cell = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

fn main() {
    if let Err(message) = serve() {
        eprintln!("{message}");
        std::process::exit(99);
    }
}

/// Runs every cell that the relay names, until it closes the socket.
fn serve() -> Result<(), String> {
    let variable = |name| {
        std::env::var(name)
            .map_err(|_| format!("{name} is not set: the kernel starts this program"))
    };
    let relay = UnixStream::connect(variable("ISOPATH_KERNEL_SOCKET")?)
        .map_err(|error| format!("the kernel does not answer: {error}"))?;
    end_with(
        variable("ISOPATH_KERNEL_PARENT")?
            .parse()
            .map_err(|_| "ISOPATH_KERNEL_PARENT is no process")?,
    );
    std::panic::set_hook(Box::new(report_panic));
    let mut variables = std::ptr::null_mut();
    for line in BufReader::new(relay).lines() {
        let line = line.map_err(|error| error.to_string())?;
        let unknown = || format!("{line:?} is not understood");
        let (path, name) = line
            .strip_prefix("LOAD_AND_RUN ")
            .and_then(|rest| rest.rsplit_once(' '))
            .ok_or_else(unknown)?;
        let cell = load(path, name)?;
        // SAFETY: evcxr compiled this function, and `variables` is what the cell before it gave.
        variables = unsafe { cell(variables) };
        mark_end();
    }
    Ok(())
}

/// The function `name` of the library at `path`, which stays loaded: later cells use what it holds.
fn load(path: &str, name: &str) -> Result<Cell, String> {
    let text = |text: &str| CString::new(text).map_err(|error| error.to_string());
    let (path, name) = (text(path)?, text(name)?);
    // SAFETY: both are strings that end; a library of cells runs nothing when it is loaded.
    let found = unsafe {
        let library = dlopen(path.as_ptr(), RTLD_LAZY);
        if library.is_null() {
            library
        } else {
            dlsym(library, name.as_ptr())
        }
    };
    if found.is_null() {
        // SAFETY: after a failure it is a string, or nothing.
        let reason = unsafe {
            let reason = dlerror();
            if reason.is_null() {
                "no reason given".into()
            } else {
                CStr::from_ptr(reason).to_string_lossy()
            }
        };
        return Err(format!("the compiled cell cannot be loaded: {reason}"));
    }
    // SAFETY: evcxr gives the function this type.
    Ok(unsafe { std::mem::transmute::<*mut c_void, Cell>(found) })
}

/// Marks the end of a cell on both streams, behind all that it printed, also from C.
fn mark_end() {
    // SAFETY: null means every stream of the C library.
    unsafe { fflush(std::ptr::null_mut()) };
    // Where a stream is closed, nobody is there to be told.
    let mut output = std::io::stdout().lock();
    let _ = output
        .write_all(format!("{MARK}ISOPATH_END\n").as_bytes())
        .and_then(|()| output.flush());
    let _ = std::io::stderr()
        .lock()
        .write_all(format!("{MARK}ISOPATH_END\n").as_bytes());
}

/// Reports a panic to the relay: message, place, thread.
fn report_panic(panic: &PanicHookInfo) {
    let message = panic.payload_as_str().unwrap_or("a value that is no text");
    let place = panic
        .location()
        .map(|place| (place.file(), place.line(), place.column()));
    let (file, line, column) = place.unwrap_or(("", 0, 0));
    let thread = std::thread::current();
    let report = format!(
        "{MARK}ISOPATH_PANIC {{\"message\":{},\"file\":{},\"line\":{line},\"column\":{column},\"thread\":{}}}\n",
        quoted(message),
        quoted(file),
        quoted(thread.name().unwrap_or("")),
    );
    let _ = std::io::stderr().lock().write_all(report.as_bytes());
}

/// A text as a string of JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if u32::from(control) < 0x20 => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(control)))
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Ends this process, and those that its cells started, as soon as the kernel is gone.
fn end_with(kernel: u32) {
    std::thread::spawn(move || {
        while parent_id() == kernel {
            std::thread::sleep(Duration::from_millis(500));
        }
        // SAFETY: 0 means the processes of this one's own group.
        unsafe { kill(0, SIGKILL) };
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_a_string_of_json() {
        assert_eq!(
            quoted("a \"b\"\\\n\u{1e}ü"),
            "\"a \\\"b\\\"\\\\\\u000a\\u001eü\""
        );
    }

    #[test]
    fn a_library_that_is_not_there_has_a_reason() {
        let reason = load("/no such/library.so", "run").unwrap_err();
        assert!(reason.contains("/no such/library.so"), "{reason}");
    }
}
