//! The steps from one with breakpoints to the next, few points at a time: what one step writes is
//! still in the cache when the next one reads it.

use std::sync::Arc;

use super::crossings::Sequence;
use super::memory::{Buffer, Memory};
use super::program::Program;

/// Bytes of a result of the points that are together: with an argument and what is added they stay in
/// the second cache.
const TOGETHER_BYTES: usize = 3 << 18;
/// Points that are together at most: a whole tile of any convolution.
const TOGETHER: usize = 12;

/// A result at the points that there were when it was computed. It is linear between them.
#[derive(Clone, Default)]
pub(super) struct Kept {
    pub t: Arc<Vec<f64>>,
    pub numbers: Arc<Buffer>,
}

impl Kept {
    /// The row of t, if there is one.
    fn there(&self, size: usize, t: f64) -> Option<&[f64]> {
        let at = self.t.partition_point(|time| *time < t);
        let found = self.t.get(at).is_some_and(|time| *time == t);
        found.then(|| &self.numbers[at * size..][..size])
    }

    /// At t, into a row.
    pub fn at(&self, program: &Program, t: f64, row: &mut [f64]) {
        let size = row.len();
        let own = |at: usize| &self.numbers[at * size..][..size];
        // The last one that is not behind t.
        let at = self.t.partition_point(|time| *time <= t).saturating_sub(1);
        match self.t.get(at + 1) {
            Some(next) if t > self.t[at] => {
                let share = (t - self.t[at]) / (next - self.t[at]);
                program.rows.between(own(at), own(at + 1), share, row);
            }
            _ => row.copy_from_slice(own(at)),
        }
    }
}

/// A step with breakpoints whose result is the first of a block.
#[derive(Clone)]
pub(super) struct Entry {
    pub step: usize,
    pub sequence: Arc<Sequence>,
    pub numbers: Arc<Buffer>,
    /// The first point, by its place in the sequence.
    pub first: usize,
}

/// How a result comes about in a block.
enum Source {
    /// By the step with breakpoints before the block.
    Entry,
    /// By a step of the block.
    Step(usize),
    /// It is there already, at other points.
    Between(Kept),
    /// It is there already.
    There(Arc<Buffer>),
}

/// A result that a block computes or reads.
struct Slot {
    number: usize,
    source: Source,
    /// Whether somebody reads it after the block.
    stays: bool,
}

/// A block of steps at some points.
pub(super) struct Block<'a> {
    program: &'a Program,
    t: &'a [f64],
    entry: Option<&'a Entry>,
    slots: Vec<Slot>,
}

/// The numbers of a slot for the points that are together.
enum Rows<'a> {
    Staying(&'a mut [f64]),
    Passing(Buffer),
    There(&'a [f64]),
}

impl Rows<'_> {
    fn read(&self) -> &[f64] {
        match self {
            Self::Staying(rows) => rows,
            Self::Passing(rows) => rows,
            Self::There(rows) => rows,
        }
    }

    fn write(&mut self) -> &mut [f64] {
        match self {
            Self::Staying(rows) => rows,
            Self::Passing(rows) => rows,
            Self::There(_) => &mut [],
        }
    }
}

impl<'a> Block<'a> {
    /// Steps `from` to `end` at points `t`, behind `entry`, where `results` are there.
    pub fn new(
        program: &'a Program,
        t: &'a Arc<Vec<f64>>,
        entry: Option<&'a Entry>,
        results: &[(usize, Kept)],
        [from, end]: [usize; 2],
    ) -> Self {
        // A step with breakpoints at the end reads after the block.
        let stays = |number: usize| end == 0 || program.is_read_after(number, end - 1);
        let mut slots: Vec<Slot> = Vec::new();
        if let Some(entry) = entry {
            slots.push(Slot {
                number: entry.step + 1,
                source: Source::Entry,
                stays: stays(entry.step + 1),
            });
        }
        for step in from..end {
            let read = &program.steps[step];
            for number in [Some(read.input), read.other].into_iter().flatten() {
                if slots.iter().any(|slot| slot.number == number) {
                    continue;
                }
                let kept = results.iter().find(|(own, _)| *own == number);
                let kept = kept.map(|(_, kept)| kept.clone()).unwrap_or_default();
                slots.push(Slot {
                    number,
                    stays: stays(number) && !Arc::ptr_eq(&kept.t, t),
                    source: match Arc::ptr_eq(&kept.t, t) {
                        true => Source::There(kept.numbers),
                        false => Source::Between(kept),
                    },
                });
            }
            slots.push(Slot {
                number: step + 1,
                source: Source::Step(step),
                stays: stays(step + 1),
            });
        }
        Self {
            program,
            t,
            entry,
            slots,
        }
    }

    /// The multiplications and additions at all points.
    pub fn work(&self) -> f64 {
        let of = |slot: &Slot| match slot.source {
            Source::Step(step) => self.program.work(step),
            _ => 0,
        };
        self.slots.iter().map(of).sum::<usize>() as f64 * self.t.len() as f64
    }

    /// The results that stay, with their numbers.
    pub fn run(&self, memory: &mut Memory, scratch: &mut Memory) -> Vec<(usize, Buffer)> {
        let points = self.t.len();
        let size = |number: usize| self.program.shapes[number].pixels.image();
        let staying = self.slots.iter().filter(|slot| slot.stays);
        let mut results: Vec<(usize, Buffer)> = staying
            .map(|slot| {
                let pixels = self.program.shapes[slot.number].pixels;
                (slot.number, memory.take(pixels, points))
            })
            .collect();
        let largest = self.slots.iter().map(|slot| size(slot.number)).max();
        let together = (TOGETHER_BYTES / (8 * largest.unwrap_or(1))).clamp(1, TOGETHER);
        for start in (0..points).step_by(together) {
            let count = together.min(points - start);
            let rows = results.iter_mut().map(|(number, buffer)| {
                let size = size(*number);
                &mut buffer[start * size..][..count * size]
            });
            self.group([start, count], rows.collect(), scratch);
        }
        results
    }

    /// `count` points from `start` on.
    fn group(&self, [start, count]: [usize; 2], staying: Vec<&mut [f64]>, scratch: &mut Memory) {
        let mut staying = staying.into_iter();
        let mut done: Vec<Rows> = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let pixels = self.program.shapes[slot.number].pixels;
            let size = pixels.image();
            if let Source::There(numbers) = &slot.source {
                done.push(Rows::There(&numbers[start * size..][..count * size]));
                continue;
            }
            if let (Source::Between(kept), false, 1) = (&slot.source, slot.stays, count)
                && let Some(row) = kept.there(size, self.t[start])
            {
                done.push(Rows::There(row));
                continue;
            }
            let own = if slot.stays { staying.next() } else { None };
            let mut rows = match own {
                Some(rows) => Rows::Staying(rows),
                None => Rows::Passing(scratch.take(pixels, count)),
            };
            match &slot.source {
                Source::Step(step) => {
                    let read = |number: usize| {
                        let at = self.slots.iter().position(|slot| slot.number == number);
                        at.and_then(|at| done.get(at)).map(Rows::read)
                    };
                    let reads = &self.program.steps[*step];
                    let input = read(reads.input).unwrap_or_default();
                    let other = reads.other.and_then(read);
                    self.program.apply_alone(*step, input, other, rows.write());
                }
                source => {
                    for (at, row) in rows.write().chunks_mut(size).enumerate() {
                        match (source, self.entry) {
                            (Source::Between(kept), _) => {
                                kept.at(self.program, self.t[start + at], row);
                            }
                            (_, Some(entry)) => {
                                let place = (entry.step, entry.first + start + at);
                                let numbers = &entry.numbers;
                                entry.sequence.apply(self.program, place, numbers, row);
                            }
                            (_, None) => {}
                        }
                    }
                }
            }
            done.push(rows);
        }
        for rows in done {
            if let Rows::Passing(buffer) = rows {
                scratch.give(buffer);
            }
        }
    }
}
