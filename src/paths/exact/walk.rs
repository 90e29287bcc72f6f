//! A segment through a network, depth first: some of its points at a time, with the breakpoints that
//! each step adds between them.

use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;

use super::block::{Block, Entry, Kept};
use super::crossings::{Point, Sequence};
use super::memory::{Buffer, Memory};
use super::program::Program;
use crate::error::Result;
use crate::interrupt;

/// Points that go through the steps together, with the results that later steps read.
struct Window {
    points: Vec<Point>,
    t: Arc<Vec<f64>>,
    results: Vec<(usize, Kept)>,
    /// The step before the next one, of which there is no result yet.
    entry: Option<Entry>,
}

/// Points before a step with breakpoints, of which some windows have not gone on yet.
struct Frame {
    step: usize,
    sequence: Arc<Sequence>,
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
        scratch: (0..rayon::current_num_threads())
            .map(|_| Memory::new(1))
            .collect(),
        work: Work::default(),
    };
    let mut window = Window {
        points,
        t,
        results: vec![(0, start)],
        entry: None,
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
        }
    }
}

struct Walker<'a> {
    program: &'a Program,
    chunk: usize,
    memory: Memory,
    /// That of each thread.
    scratch: Vec<Memory>,
    work: Work,
}

impl Walker<'_> {
    /// Runs the steps from `from` on, up to one with breakpoints; none if it reaches the logits.
    fn advance(&mut self, window: &mut Window, from: usize) -> Option<Frame> {
        let steps = &self.program.steps;
        let breaks = (from..steps.len()).find(|number| steps[*number].kernel.has_breakpoints());
        let end = breaks.unwrap_or(steps.len());
        let entry = window.entry.take();
        let (t, results) = (&window.t, &window.results);
        let block = Block::new(self.program, t, entry.as_ref(), results, [from, end]);
        self.work.operations += block.work();
        let found = block.run(&mut self.memory, &mut self.scratch);
        drop(block);
        if let Some(entry) = entry {
            self.memory.give_shared(entry.numbers);
        }
        for (number, numbers) in found {
            self.keep(window, number, numbers);
        }
        if let Some(last) = end.checked_sub(1) {
            self.forget(&mut window.results, last);
        }
        let step = breaks?;
        let input = self.at(window, self.program.steps[step].input);
        let sequence = Sequence::new(self.program, step, &window.points, &input);
        let pieces = sequence.points.len() - 1;
        let mut results = std::mem::take(&mut window.results);
        self.forget(&mut results, step);
        Some(Frame {
            step,
            sequence: Arc::new(sequence),
            numbers: input,
            results,
            windows: pieces.div_ceil(self.chunk - 1).max(1),
            next: 0,
        })
    }

    /// Takes a result at the points of the window, perhaps in the place of one at other points.
    fn keep(&mut self, window: &mut Window, number: usize, numbers: Buffer) {
        let kept = Kept {
            t: Arc::clone(&window.t),
            numbers: Arc::new(numbers),
        };
        match window.results.iter_mut().find(|(own, _)| *own == number) {
            Some((_, before)) => {
                let before = std::mem::replace(before, kept);
                self.memory.give_shared(before.numbers);
            }
            None => window.results.push((number, kept)),
        }
    }

    /// Result `number` at the points of the window.
    fn at(&mut self, window: &mut Window, number: usize) -> Arc<Buffer> {
        let found = window.results.iter().find(|(own, _)| *own == number);
        let Some((_, kept)) = found else {
            return Arc::default();
        };
        if Arc::ptr_eq(&kept.t, &window.t) {
            return Arc::clone(&kept.numbers);
        }
        let pixels = self.program.shapes[number].pixels;
        let mut numbers = self.memory.take(pixels, window.points.len());
        numbers
            .par_chunks_mut(pixels.image())
            .zip(&*window.t)
            .for_each(|(row, t)| kept.at(self.program, *t, row));
        self.keep(window, number, numbers);
        self.at(window, number)
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
        let t = Arc::new(points.iter().map(|point| point.t).collect());
        let (results, numbers) = match frame.next < frame.windows {
            true => (frame.results.clone(), Arc::clone(&frame.numbers)),
            false => (
                std::mem::take(&mut frame.results),
                std::mem::take(&mut frame.numbers),
            ),
        };
        let entry = Some(Entry {
            step: frame.step,
            sequence: Arc::clone(&frame.sequence),
            numbers,
            first,
        });
        Window {
            points,
            t,
            results,
            entry,
        }
    }
}
