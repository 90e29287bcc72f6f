//! The sizes of tiles, and which convolutions are computed by them.

use crate::ops::convolution::geometry::Geometry;

/// Rows and columns of the kernel, and its numbers.
pub(super) const KERNEL: usize = 3;
pub(super) const TAPS: usize = KERNEL * KERNEL;
/// Rows and columns of a tile of the result, and of what it reads.
pub(super) const SIDE: usize = 4;
pub(super) const READ: usize = SIDE + KERNEL - 1;
/// Products of a tile.
pub(in crate::ops::convolution) const POINTS: usize = READ * READ;
/// Weights above which reading 36 of them in place of nine costs more than is gained.
const MOST_WEIGHTS: usize = 1 << 16;
/// Channels below which the transforms cost more than is gained.
const FEWEST_CHANNELS: usize = 16;

/// Whether a convolution and its gradient are computed so: by its shape alone, so that neither the
/// number of images nor that of threads changes a bit.
pub(in crate::ops) fn serves(shape: &Geometry) -> bool {
    let Geometry {
        groups,
        inputs,
        outputs,
        input,
        output,
        kernel,
        stride,
        padding,
        dilation,
        ..
    } = *shape;
    // A tile at the edge computes what nobody needs.
    let fills = |[height, width]: [usize; 2]| {
        let computed = height.next_multiple_of(SIDE) * width.next_multiple_of(SIDE);
        2 * computed <= 3 * height * width
    };
    kernel == [KERNEL; 2]
        && stride == [1, 1]
        && dilation == 1
        && groups == 1
        && padding.iter().all(|padding| *padding < 3)
        && inputs.min(outputs) >= FEWEST_CHANNELS
        && inputs * outputs <= MOST_WEIGHTS
        && fills(input)
        && fills(output)
}
