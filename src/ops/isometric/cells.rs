//! The partition: which points lie in a cell together.

use std::ops::Range;

use candle_core::WithDType;

/// The cells with two or more points.
#[derive(Debug, PartialEq)]
pub(super) struct Cells {
    /// The cell of each point.
    names: Vec<u32>,
    /// The points, cell after cell, ascending in each.
    order: Vec<u32>,
    /// Where in `order` the cells lie that have two or more points.
    ranges: Vec<Range<usize>>,
}

impl Cells {
    pub(super) fn new(names: &[u32]) -> Self {
        let mut keys: Vec<u64> = (0..)
            .zip(names)
            .map(|(point, &name)| u64::from(name) << 32 | point)
            .collect();
        keys.sort_unstable();
        let mut end = 0;
        let ranges = keys.chunk_by(|a, b| a >> 32 == b >> 32).filter_map(|cell| {
            let start = end;
            end += cell.len();
            (cell.len() > 1).then_some(start..end)
        });
        let ranges = ranges.collect();
        Self {
            names: names.to_vec(),
            order: keys.into_iter().map(|key| key as u32).collect(),
            ranges,
        }
    }

    pub(super) fn names(&self) -> &[u32] {
        &self.names
    }

    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u32]> + Clone {
        self.ranges.iter().map(|range| &self.order[range.clone()])
    }

    /// Where each cell's square of pairs begins in the vector of all.
    pub(super) fn starts_of_pairs(&self) -> Vec<usize> {
        let mut end = 0;
        let mut start = |cell: &[u32]| {
            let start = end;
            end += cell.len() * cell.len();
            start
        };
        self.iter().map(&mut start).collect()
    }

    /// Rows in the order of the points from rows in the order of the cells; zeros for a point alone
    /// in its cell.
    pub(super) fn scatter<T: WithDType>(&self, values: Vec<T>, width: usize) -> Vec<T> {
        let points = self.iter().flatten();
        if values.len() == self.names.len() * width && points.clone().is_sorted() {
            return values;
        }
        let mut scattered = vec![T::zero(); self.names.len() * width];
        for (row, &point) in values.chunks_exact(width.max(1)).zip(points) {
            scattered[point as usize * width..][..width].copy_from_slice(row);
        }
        scattered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_cell_come_together() {
        let cells = Cells::new(&[7, 2, 7, 9, 2, 7]);
        assert_eq!(cells.iter().collect::<Vec<_>>(), [&[1, 4][..], &[0, 2, 5]]);
        assert_eq!(cells.starts_of_pairs(), [0, 4]);
        assert_eq!(
            cells.scatter(vec![1., 4., 0., 2., 5.], 1),
            [0., 1., 2., 0., 4., 5.]
        );
        assert_eq!(Cells::new(&[3, 1]).len(), 0);
        assert_eq!(
            Cells::new(&[0, 0, u32::MAX, u32::MAX]).scatter(vec![1., 2., 3., 4.], 1),
            [1., 2., 3., 4.]
        );
    }
}
