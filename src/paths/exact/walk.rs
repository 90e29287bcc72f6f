//! A segment through a network, depth first: some of its points at a time, with the breakpoints that
//! each step adds between them.

use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;

use super::crossings::{Point, Sequence};
use super::memory::{Buffer, Memory};
use super::program::Program;
use crate::error::Result;
use crate::interrupt;

/// A result at the points that there were when it was computed. It is linear between them.
#[derive(Clone)]
struct Kept {
    t: Arc<Vec<f64>>,
    numbers: Arc<Buffer>,
}

/// Points that go through the steps together, with the results that later steps read.
struct Window {
    points: Vec<Point>,
    t: Arc<Vec<f64>>,
    results: Vec<(usize, Kept)>,
}

/// Points before a step with breakpoints, of which some windows have not gone on yet.
struct Frame {
    step: usize,
    sequence: Sequence,
    numbers: Arc<Buffer>,
    results: Vec<(usize, Kept)>,
    windows: usize,
    next: usize,
}

/// What [`walk`] has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    /// Multiplications and additions.
    pub operations: f64,
}

/// Goes from the first of `ends` to the second one, or stays there if they are equal, and gives every
/// breakpoint with its logits to `found`, in order, until that breaks.
pub(super) fn walk(
    program: &Program,
    ends: &[Vec<f64>; 2],
    chunk: usize,
    mut found: impl FnMut(Point, &[f64]) -> Result<ControlFlow<()>>,
) -> Result<Work> {
    let is_point = ends[0] == ends[1];
    let times = if is_point { vec![0.] } else { vec![0., 1.] };
    let end = |t: &f64| Point {
        t: *t,
        stage: None,
        units: 0,
    };
    let points = times.iter().map(end).collect();
    let t = Arc::new(times);
    let numbers = ends[..t.len()].concat();
    let start = Kept {
        t: Arc::clone(&t),
        numbers: Arc::new(Buffer::from(numbers)),
    };
    let mut walker = Walker {
        program,
        chunk,
        memory: Memory::new(chunk),
        work: Work::default(),
    };
    let mut window = Window {
        points,
        t,
        results: vec![(0, start)],
    };
    let mut frames: Vec<Frame> = Vec::new();
    let mut from = 0;
    let mut begun = false;
    loop {
        interrupt::check()?;
        if let Some(frame) = walker.advance(&mut window, from) {
            frames.push(frame);
        } else {
            let logits = walker.at(&mut window, program.output);
            window.results.clear();
            // A window begins with the last point of the one before.
            let rows = program.rows_of_logits(&logits).zip(&window.points);
            for (logits, point) in rows.skip(usize::from(begun)) {
                if found(*point, logits)?.is_break() {
                    return Ok(walker.work);
                }
            }
            begun = true;
            walker.memory.give_shared(logits);
        }
        let Some(mut frame) = frames.pop() else {
            return Ok(walker.work);
        };
        window = walker.window(&mut frame);
        from = frame.step + 1;
        if frame.next < frame.windows {
            frames.push(frame);
        } else {
            walker.memory.give_shared(frame.numbers);
        }
    }
}

struct Walker<'a> {
    program: &'a Program,
    chunk: usize,
    memory: Memory,
    work: Work,
}

impl Walker<'_> {
    /// Runs the steps from `from` on, up to one with breakpoints; none if it reaches the logits.
    fn advance(&mut self, window: &mut Window, from: usize) -> Option<Frame> {
        for number in from..self.program.steps.len() {
            let step = &self.program.steps[number];
            let input = self.at(window, step.input);
            if step.kernel.has_breakpoints() {
                let sequence = Sequence::new(self.program, number, &window.points, &input);
                let pieces = sequence.points.len() - 1;
                let mut results = std::mem::take(&mut window.results);
                self.forget(&mut results, number);
                return Some(Frame {
                    step: number,
                    sequence,
                    numbers: input,
                    results,
                    windows: pieces.div_ceil(self.chunk - 1).max(1),
                    next: 0,
                });
            }
            let other = step.other.map(|other| self.at(window, other));
            let shape = &self.program.shapes[number + 1];
            let mut result = self.memory.take(shape.pixels, window.points.len());
            let second = other.as_deref().map(|other| &**other);
            self.program.apply(number, &input, second, &mut result);
            self.work.operations += self.program.work(number) as f64 * window.points.len() as f64;
            drop((input, other));
            window.results.push((
                number + 1,
                Kept {
                    t: Arc::clone(&window.t),
                    numbers: Arc::new(result),
                },
            ));
            self.forget(&mut window.results, number);
        }
        None
    }

    /// Result `number` at the points of the window.
    fn at(&mut self, window: &mut Window, number: usize) -> Arc<Buffer> {
        let found = window.results.iter_mut().find(|(own, _)| *own == number);
        let Some((_, kept)) = found else {
            return Arc::default();
        };
        if !Arc::ptr_eq(&kept.t, &window.t) {
            let pixels = self.program.shapes[number].pixels;
            let mut numbers = self.memory.take(pixels, window.points.len());
            let (rows, size) = (self.program.rows, pixels.image());
            let (times, before) = (&kept.t, &kept.numbers);
            numbers
                .par_chunks_mut(size)
                .zip(&*window.t)
                .for_each(|(numbers, t)| {
                    let row = |at: usize| &before[at * size..][..size];
                    // The last one that is not behind t.
                    let at = times.partition_point(|time| time <= t).saturating_sub(1);
                    match times.get(at + 1) {
                        Some(next) if *t > times[at] => {
                            let share = (t - times[at]) / (next - times[at]);
                            rows.between(row(at), row(at + 1), share, numbers);
                        }
                        _ => numbers.copy_from_slice(row(at)),
                    }
                });
            *kept = Kept {
                t: Arc::clone(&window.t),
                numbers: Arc::new(numbers),
            };
        }
        Arc::clone(&kept.numbers)
    }

    /// Frees the results that no step after `step` reads.
    fn forget(&mut self, results: &mut Vec<(usize, Kept)>, step: usize) {
        let (program, memory) = (self.program, &mut self.memory);
        results.retain_mut(|(number, kept)| {
            let read = program.is_read_after(*number, step);
            if !read {
                memory.give_shared(std::mem::take(&mut kept.numbers));
            }
            read
        });
    }

    /// The next window of a frame, behind its step.
    fn window(&mut self, frame: &mut Frame) -> Window {
        let sequence = &frame.sequence;
        // Windows of nearly one size, which share their ends.
        let pieces = sequence.points.len() - 1;
        let border = |window: usize| window * pieces / frame.windows;
        let (first, last) = (border(frame.next), border(frame.next + 1));
        frame.next += 1;
        let points = sequence.points[first..=last].to_vec();
        let shape = &self.program.shapes[frame.step + 1];
        let mut result = self.memory.take(shape.pixels, points.len());
        let numbers = (&**frame.numbers, first);
        sequence.apply(self.program, frame.step, numbers, &mut result);
        let t = Arc::new(points.iter().map(|point| point.t).collect());
        let mut results = match frame.next < frame.windows {
            true => frame.results.clone(),
            false => std::mem::take(&mut frame.results),
        };
        let own = Kept {
            t: Arc::clone(&t),
            numbers: Arc::new(result),
        };
        results.push((frame.step + 1, own));
        Window { points, t, results }
    }
}
