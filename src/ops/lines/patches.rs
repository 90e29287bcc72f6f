//! The pixels that each pixel of a convolution's result reads.

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor, bail};

use crate::ops::Conv2dParams;

/// Squares of pixels, as rows that a matrix product takes.
pub(crate) struct Patches {
    /// Channels, height and width of the images.
    pub input: [usize; 3],
    /// Height and width of the result.
    pub output: [usize; 2],
    /// Rows and columns of a square.
    pub kernel: [usize; 2],
    pub conv: Conv2dParams,
}

impl Patches {
    /// (N · pixels of the result, kernel · channels), of images (N, pixels · channels).
    ///
    /// # Errors
    /// Images of another size, not in order, or not f64.
    pub fn of(&self, images: &Tensor) -> candle_core::Result<Tensor> {
        images.apply_op1_no_bwd(self)
    }

    /// Whether every square is one pixel, and every pixel has one.
    pub fn are_pixels(&self) -> bool {
        self.kernel == [1, 1] && self.conv.stride == 1 && self.conv.padding == 0
    }

    /// Numbers of a square.
    pub fn columns(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.input[0]
    }

    /// Numbers of all squares of an image.
    pub fn numbers(&self) -> usize {
        self.output[0] * self.output[1] * self.columns()
    }

    /// The number of images; the one place that bounds what the kernels read.
    fn images(&self, layout: &Layout) -> candle_core::Result<usize> {
        let (images, size) = layout.shape().dims2()?;
        if size != self.input.iter().product::<usize>() || !layout.is_contiguous() {
            bail!("{}: images {size}, not {:?}", self.name(), self.input);
        }
        Ok(images)
    }

    /// The shape of the result for so many images.
    fn shape(&self, images: usize) -> Shape {
        (images * self.output[0] * self.output[1], self.columns()).into()
    }

    /// The row or column of the image that is read, if it is one.
    fn at(&self, output: usize, tap: usize, size: usize) -> Option<usize> {
        let place = output * self.conv.stride + tap * self.conv.dilation;
        place
            .checked_sub(self.conv.padding)
            .filter(|place| *place < size)
    }
}

impl CustomOp1 for Patches {
    fn name(&self) -> &'static str {
        "patches of images"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let images = self.images(layout)?;
        let x = &storage.as_slice::<f64>()?[layout.start_offset()..];
        let [channels, height, width] = self.input;
        let mut patches = Vec::with_capacity(images * self.numbers());
        for image in x.chunks(channels * height * width).take(images) {
            for output in 0..self.output[0] * self.output[1] {
                let (row, column) = (output / self.output[1], output % self.output[1]);
                for tap in 0..self.kernel[0] * self.kernel[1] {
                    let (down, right) = (tap / self.kernel[1], tap % self.kernel[1]);
                    match (self.at(row, down, height), self.at(column, right, width)) {
                        (Some(row), Some(column)) => {
                            let pixel = &image[(row * width + column) * channels..][..channels];
                            patches.extend_from_slice(pixel);
                        }
                        _ => patches.resize(patches.len() + channels, 0.),
                    }
                }
            }
        }
        Ok((CpuStorage::F64(patches), self.shape(images)))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        storage: &candle_core::CudaStorage,
        layout: &Layout,
    ) -> candle_core::Result<(candle_core::CudaStorage, Shape)> {
        let images = self.images(layout)?;
        let patches = on_gpu::patches(self, storage, layout.start_offset(), images)?;
        Ok((patches, self.shape(images)))
    }
}

#[cfg(feature = "cuda")]
mod on_gpu {
    use candle_core::backend::BackendStorage;
    use candle_core::{CudaStorage, Result};

    use super::Patches;
    use crate::ops::lines::cuda::{grid, numbers, room, whole};

    pub(super) fn patches(
        patches: &Patches,
        storage: &CudaStorage,
        start: usize,
        images: usize,
    ) -> Result<CudaStorage> {
        let device = storage.device();
        let x = numbers(storage, start)?;
        let size = patches.numbers();
        whole(size)?;
        let mut result = room(device, images * size)?;
        if images * size > 0 {
            let conv = &patches.conv;
            let [channels, height, width] = patches.input.map(|size| size as u32);
            let [result_height, result_width] = patches.output.map(|size| size as u32);
            let [kernel_height, kernel_width] = patches.kernel.map(|size| size as u32);
            let [stride, padding, dilation] =
                [conv.stride, conv.padding, conv.dilation].map(|number| number as i32);
            launch!(
                device,
                "patches",
                grid(images, size),
                &(images as u64),
                &x,
                &channels,
                &(height as i32),
                &(width as i32),
                &result_height,
                &result_width,
                &kernel_height,
                &kernel_width,
                &stride,
                &padding,
                &dilation,
                &mut result
            );
        }
        Ok(CudaStorage::wrap_cuda_slice(result, device.clone()))
    }
}
