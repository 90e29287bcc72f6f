//! Conversion of pixels from bytes k to numbers k/255 and back.

use candle_core::{Device, Tensor};

use crate::error::Result;

/// k/255 of each byte, in the given shape: f32 in \[0, 1\], on the CPU.
///
/// k is multiplied by the f32 next to 1/255, as candle divides by a number: one rounding more than
/// a division has.
pub(super) fn scaled(bytes: &[u8], shape: &[usize]) -> Result<Tensor> {
    let numbers: Vec<f32> = bytes
        .iter()
        .map(|byte| f32::from(*byte) * (1. / 255.))
        .collect();
    Ok(Tensor::from_vec(numbers, shape, &Device::Cpu)?)
}

/// The bytes behind pixels that were divided by 255: rounding undoes the division exactly.
pub(super) fn bytes_of(pixels: &Tensor) -> Result<Vec<u8>> {
    let pixels = pixels.flatten_all()?.to_vec1::<f32>()?;
    Ok(pixels
        .into_iter()
        .map(|pixel| (pixel * 255.).round() as u8)
        .collect())
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;

    #[test]
    fn every_byte_is_what_candle_makes_of_it_and_comes_back() -> Result<()> {
        let bytes: Vec<u8> = (0..=255).collect();
        let pixels = scaled(&bytes, &[256])?;
        let by_candle = (Tensor::new(bytes.clone(), &Device::Cpu)?.to_dtype(DType::F32)? / 255.)?;
        assert_eq!(pixels.to_vec1::<f32>()?, by_candle.to_vec1::<f32>()?);
        assert_eq!(bytes_of(&pixels)?, bytes);
        Ok(())
    }
}
