//! The windows of a segment on several threads, each of which goes through its own depth first.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
    let (fronts, mut operations) = fronts(program, ends, chunk)?;
    let threads = rayon::current_num_threads().min(fronts.len());
    let count = fronts.len();
    let fronts: Vec<_> = fronts
        .into_iter()
        .map(|front| Mutex::new(Some(front)))
        .collect();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            let (fronts, next, stop) = (&fronts, &next, &stop);
            scope.spawn(move || {
                let mut host = Host::new(program, ends, chunk);
                let mut is_heard = true;
                while is_heard {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let front = fronts.get(number).and_then(taken);
                    let Some(front) = front else { return };
                    let mut walk = Walk::behind(host, front, number > 0);
                    let mut send = |message| {
                        !stop.load(Ordering::Relaxed) && sender.send((number, message)).is_ok()
                    };
                    let end = tell(&mut walk, &mut send);
                    is_heard = send(Message::End(end));
                    host = walk.engine;
                }
            });
        }
        drop(sender);
        let heard = hear(&receiver, count, found);
        stop.store(true, Ordering::Relaxed);
        operations += heard?;
        Ok(operations)
    })
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

fn taken(front: &Mutex<Option<Front>>) -> Option<Front> {
    // A panic elsewhere leaves it whole.
    front.lock().unwrap_or_else(PoisonError::into_inner).take()
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
fn hear(receiver: &Receiver<(usize, Message)>, count: usize, found: &mut Found) -> Result<f64> {
    let mut operations = 0.;
    let mut early: HashMap<usize, Vec<Message>> = HashMap::new();
    for number in 0..count {
        let mut waiting = early.remove(&number).unwrap_or_default().into_iter();
        loop {
            let message = match waiting.next() {
                Some(message) => message,
                None => match receiver.recv() {
                    Ok((own, message)) if own == number => message,
                    Ok((other, message)) => {
                        early.entry(other).or_default().push(message);
                        continue;
                    }
                    // A thread has panicked, which its scope tells.
                    Err(_) => return Ok(operations),
                },
            };
            match message {
                Message::End(end) => {
                    end?;
                    break;
                }
                Message::Points(points, work) => {
                    operations += work;
                    for (point, logits) in points {
                        if found(point, &logits)?.is_break() {
                            return Ok(operations);
                        }
                    }
                }
            }
        }
    }
    Ok(operations)
}
