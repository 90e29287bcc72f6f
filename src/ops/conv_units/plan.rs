//! How the images of a batch go through the units: how many at a time.

use std::ops::Range;

use super::unit::ConvUnit;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::pass::images_of_a_task;
use crate::ops::convolution::pixels::Pixels;

/// Numbers of a group's input and result that stay in the cache.
const CACHED: usize = 100_000;

/// Units that follow one another, with as many images at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub units: Range<usize>,
    /// Images at a time.
    pub group: usize,
}

/// A batch is shared out to threads in tasks; the images of a task go through one segment of the
/// units after the other, in groups that leave their results in the cache.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Images of a task, but for the last.
    pub task: usize,
    pub segments: Vec<Segment>,
    /// Whether a single task shares out its convolutions to threads.
    pub shared: bool,
}

impl Plan {
    pub fn new(units: &[ConvUnit], shapes: &[Geometry], threads: usize) -> Self {
        let images = shapes[0].images;
        let shared = images < threads;
        let weights = units.iter().map(|unit| unit.weight.elem_count());
        let task = images_of_a_task(images, if shared { 1 } else { threads });
        let groups: Vec<_> = shapes
            .iter()
            .zip(weights)
            .map(|(shape, weights)| {
                let [input, output] = Pixels::of(shape);
                // A weight is read again for each group: it should not be more than the images.
                let group = CACHED.max(weights) / (input.image() + output.image());
                if shared { task } else { group.clamp(1, task) }
            })
            .collect();
        let mut segments: Vec<Segment> = Vec::new();
        for units in pieces(units) {
            let group = groups[units.clone()].iter().copied().min().unwrap_or(1);
            // Powers of two, so that neighbours of nearly the same size are one segment.
            let group = if group < task {
                1 << group.ilog2()
            } else {
                group
            };
            match segments.last_mut() {
                Some(last) if last.group == group => last.units.end = units.end,
                _ => segments.push(Segment { units, group }),
            }
        }
        Self {
            task,
            segments,
            shared,
        }
    }
}

/// The units in pieces of which each reads only the result of the one before.
fn pieces(units: &[ConvUnit]) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for end in 1..=units.len() {
        let alone = units[end..]
            .iter()
            .all(|unit| unit.input >= end && unit.residual.is_none_or(|number| number >= end));
        if alone {
            pieces.push(start..end);
            start = end;
        }
    }
    pieces
}
