//! What the process of the cells does.

use super::super::cells::{CellsEvent, Stream};
use super::super::failure::Failure;
use super::super::marks::{Panic, Piece, Reader};
use super::Kernel;

/// What is known of the running process.
#[derive(Default)]
pub struct Process {
    readers: [Reader; 2],
    /// Whether the end of the cell was seen, on each stream.
    ends: [bool; 2],
    for_evcxr: Vec<String>,
    is_running: bool,
}

impl Kernel {
    /// Something has happened in the process of the cells.
    pub fn cells(&mut self, number: u64, event: CellsEvent) {
        if let CellsEvent::Began(pair) = event {
            self.pair = Some((number, pair));
            self.process = Process::default();
            return;
        }
        if let CellsEvent::Refused(reason) = event {
            self.print(Stream::Errors, &format!("{reason}\n"));
            return;
        }
        if self
            .pair
            .as_ref()
            .is_none_or(|(current, _)| *current != number)
        {
            return;
        }
        match event {
            CellsEvent::Began(_) | CellsEvent::Refused(_) => {}
            CellsEvent::Asked(line) => self.run(&line),
            CellsEvent::Printed(stream, bytes) => {
                for piece in self.process.readers[stream as usize].push(&bytes) {
                    self.piece(stream, piece);
                }
            }
            CellsEvent::Ended(status) => {
                for stream in [Stream::Output, Stream::Errors] {
                    for piece in self.process.readers[stream as usize].finish() {
                        self.piece(stream, piece);
                    }
                }
                // evcxr sees it by the end of the bridge.
                self.pair = None;
                match &mut self.running {
                    Some(cell) => cell.ended = Some(status),
                    None => {
                        let said = Failure::ended(status, "").value;
                        self.print(Stream::Errors, &format!("{said}\n"));
                    }
                }
            }
            CellsEvent::Left => {
                if let Some((_, pair)) = self.pair.take() {
                    pair.kill();
                }
            }
        }
    }

    pub(super) fn run(&mut self, request: &str) {
        let Some((_, pair)) = &self.pair else { return };
        if let Some(cell) = self
            .running
            .as_mut()
            .filter(|cell| cell.interrupted.is_some())
        {
            cell.skipped = true;
            // So evcxr does not expect the variables that it would have made.
            pair.tell_evcxr("EVCXR_ERROR_OCCURRED");
            pair.tell_evcxr("EVCXR_EXECUTION_COMPLETE");
        } else {
            self.process.ends = [false; 2];
            self.process.is_running = true;
            if let Some(cell) = &mut self.running {
                cell.ran = true;
            }
            pair.run(request);
        }
    }

    pub(super) fn piece(&mut self, stream: Stream, piece: Piece) {
        match piece {
            Piece::Text(text) => self.print(stream, &text),
            Piece::Panic(panic) => self.panic(panic),
            Piece::CaughtPanic => {
                self.process
                    .for_evcxr
                    .push("EVCXR_PANIC_NOTIFICATION".to_owned());
                if let Some(cell) = &mut self.running {
                    cell.panicked = true;
                }
            }
            Piece::UserError => {
                self.process
                    .for_evcxr
                    .push("EVCXR_ERROR_OCCURRED".to_owned());
                if let Some(cell) = &mut self.running {
                    cell.refused = true;
                    // The error has just been written there; it is told once, with the failure.
                    if let Some(said) = self.text.take_if(|text| text.stream == Stream::Errors) {
                        cell.said.push_str(&said.text);
                    }
                }
            }
            Piece::ForEvcxr(line) => self.process.for_evcxr.push(line),
            Piece::Content(mime, content) => self.form(mime, content),
            Piece::Display(display) => self.display(display),
            Piece::End => {
                self.process.ends[stream as usize] = true;
                if self.process.ends == [true; 2] && self.process.is_running {
                    self.process.is_running = false;
                    let lines = std::mem::take(&mut self.process.for_evcxr);
                    // It came before the value that the cell ends with.
                    let value = self.value.take();
                    self.tell_caught_panic();
                    if value.is_some() {
                        self.flush_text();
                        self.value = value;
                    }
                    if let Some((_, pair)) = &self.pair {
                        lines.iter().for_each(|line| pair.tell_evcxr(line));
                        pair.tell_evcxr("EVCXR_EXECUTION_COMPLETE");
                    }
                }
            }
        }
    }

    /// A panic of the main thread is held back, since it may end the cell; any other is shown at
    /// once.
    pub(super) fn panic(&mut self, panic: Panic) {
        self.tell_caught_panic();
        if panic.thread != "main" || !self.process.is_running {
            self.print(Stream::Errors, &words(&panic));
        }
        if let Some(cell) = &mut self.running {
            cell.panic = Some(panic);
        }
    }

    /// A panic of the main thread that the cell itself caught: shown as Rust shows it.
    pub(super) fn tell_caught_panic(&mut self) {
        if let Some(cell) = self.running.as_mut().filter(|cell| !cell.panicked)
            && let Some(panic) = cell.panic.take_if(|panic| panic.thread == "main")
        {
            self.print(Stream::Errors, &words(&panic));
        }
    }
}

/// A panic as Rust's own hook writes it.
fn words(panic: &Panic) -> String {
    let thread = if panic.thread.is_empty() {
        "<unnamed>"
    } else {
        &panic.thread
    };
    format!(
        "thread '{thread}' panicked at {}:{}:{}:\n{}\n",
        panic.file, panic.line, panic.column, panic.message
    )
}
