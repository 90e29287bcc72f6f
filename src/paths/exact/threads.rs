//! The windows of a segment on several threads, each of which goes through its own depth first.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::crossings::Point;
use super::host::{Host, Window};
use super::program::Program;
use super::walk::{self, Engine as _, Found, Walk};
use crate::error::Result;

/// Windows from which threads start, if there are as many: whatever the number of threads, so that it
/// changes nothing that is computed.
const FRONTS: usize = 16;

/// A window, and the number of the step before which it is.
type Front = (Window, usize);

/// What a thread has found.
enum Message {
    /// The next points behind a front, with their logits, and the operations that they took.
    Points(Vec<(Point, Vec<f64>)>, f64),
    /// There are no more.
    End(Result<()>),
}

/// Goes from one end of a segment to the other on all threads, and gives every breakpoint with its
/// logits to `found`, in order and on the calling thread, until that breaks. Gives the number of
/// multiplications and additions.
pub(super) fn walk(
    program: &Program,
    ends: &[Vec<f64>; 2],
    chunk: usize,
    found: &mut Found,
) -> Result<f64> {
    let (fronts, operations) = fronts(program, ends, chunk)?;
    let count = fronts.len();
    let fronts = &Mutex::new(fronts.into_iter().enumerate());
    let (sender, receiver) = mpsc::channel();
    let heard = thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(count) {
            let sender = sender.clone();
            scope.spawn(move || {
                let mut host = Host::new(program, ends, chunk);
                let mut is_heard = true;
                while is_heard && let Some((number, front)) = taken(fronts) {
                    let mut walk = Walk::behind(host, front, number > 0);
                    let mut send = |message| sender.send((number, message)).is_ok();
                    let end = tell(&mut walk, &mut send);
                    is_heard = send(Message::End(end));
                    host = walk.engine;
                }
            });
        }
        drop(sender);
        // When it returns, nobody listens any more.
        hear(receiver, count, found)
    })?;
    Ok(operations + heard)
}

/// The next front that no thread has taken.
fn taken<F: Iterator>(fronts: &Mutex<F>) -> Option<F::Item> {
    fronts.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// The first windows of a segment, in order, and the operations that they took.
fn fronts(program: &Program, ends: &[Vec<f64>; 2], chunk: usize) -> Result<(Vec<Front>, f64)> {
    let mut host = Host::new(program, ends, chunk);
    let mut fronts = vec![(host.start(walk::ends(ends[0] == ends[1]))?, 0)];
    while fronts.len() < FRONTS {
        let mut behind = Vec::new();
        let mut is_done = true;
        for (mut window, from) in fronts {
            match host.advance(&mut window, from)? {
                None => behind.push((window, program.steps.len())),
                Some(mut frame) => {
                    is_done = false;
                    loop {
                        let (window, step, is_last) = host.window(&mut frame)?;
                        behind.push((window, step + 1));
                        if is_last {
                            break;
                        }
                    }
                }
            }
        }
        fronts = behind;
        if is_done {
            break;
        }
    }
    Ok((fronts, host.operations))
}

/// Goes through a front, and sends what it finds until nobody listens.
fn tell(walk: &mut Walk<Host>, send: &mut impl FnMut(Message) -> bool) -> Result<()> {
    let mut told = walk.engine.operations;
    loop {
        let mut points = Vec::new();
        let is_more = walk.step(&mut |point, logits| {
            points.push((point, logits.to_vec()));
            Ok(ControlFlow::Continue(()))
        })?;
        let operations = walk.engine.operations;
        if !send(Message::Points(points, operations - told)) || !is_more {
            return Ok(());
        }
        told = operations;
    }
}

/// Gives the points of all fronts to `found`, in order, until that breaks; the operations that they
/// took.
fn hear(receiver: Receiver<(usize, Message)>, count: usize, found: &mut Found) -> Result<f64> {
    let mut operations = 0.;
    let mut early: HashMap<usize, VecDeque<Message>> = HashMap::new();
    let mut next = |number| {
        if let Some(message) = early.get_mut(&number).and_then(VecDeque::pop_front) {
            return Some(message);
        }
        loop {
            // None are left if a thread has panicked, which its scope tells.
            let (own, message) = receiver.recv().ok()?;
            if own == number {
                return Some(message);
            }
            early.entry(own).or_default().push_back(message);
        }
    };
    for number in 0..count {
        while let Some(message) = next(number) {
            let (points, work) = match message {
                Message::Points(points, work) => (points, work),
                Message::End(end) => {
                    end?;
                    break;
                }
            };
            operations += work;
            for (point, logits) in points {
                if found(point, &logits)?.is_break() {
                    return Ok(operations);
                }
            }
        }
    }
    Ok(operations)
}
