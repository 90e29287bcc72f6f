//! Convolutions and rows against loops as they are written on paper, with every kind of vector.

use candle_core::{Device, Tensor};

use super::{LANES, LaidConvolution, Pixels, Rows};
use crate::error::Result;
use crate::ops::Conv2dParams;
use crate::rng::Rng;

/// Sums of some hundred products of numbers below 1, in another order.
const ROUNDING: f64 = 1e-12;

fn numbers(count: usize, seed: u64) -> Result<Vec<f64>> {
    let mut rng = Rng::new(seed);
    let numbers = rng.uniform(count, -1., 1., candle_core::DType::F64, &Device::Cpu)?;
    Ok(numbers.to_vec1()?)
}

/// Σ over channels and taps, for one image (C, H, W).
fn on_paper(
    image: &[f64],
    [channels, height, width]: [usize; 3],
    (weight, outputs, kernel): (&[f64], usize, usize),
    [stride, padding]: [usize; 2],
) -> Vec<f64> {
    let side = |size: usize| (size + 2 * padding - kernel) / stride + 1;
    let mut result = Vec::new();
    for output in 0..outputs {
        for row in 0..side(height) {
            for column in 0..side(width) {
                let mut sum = 0.;
                for channel in 0..channels {
                    for y in 0..kernel {
                        for x in 0..kernel {
                            let at = [row * stride + y, column * stride + x];
                            let [row, column] = at.map(|at| at.wrapping_sub(padding));
                            if row < height && column < width {
                                let tap = (output * channels + channel) * kernel + y;
                                sum += weight[tap * kernel + x]
                                    * image[(channel * height + row) * width + column];
                            }
                        }
                    }
                }
                result.push(sum);
            }
        }
    }
    result
}

#[test]
fn convolutions_are_those_on_paper() -> Result<()> {
    // Channels, height and width; outputs, kernel; stride and padding; points.
    let cases = [
        ([16, 5, 7], (64, 1), [1, 0], 3),
        ([64, 4, 4], (16, 1), [1, 0], 1),
        ([16, 6, 5], (16, 3), [1, 1], 2),
        ([17, 4, 4], (33, 3), [2, 1], 5),
        ([40, 1, 1], (10, 1), [1, 0], 13),
        ([3, 9, 8], (16, 3), [1, 1], 2),
        ([5, 3, 3], (24, 3), [1, 1], 14),
        ([300, 2, 2], (8, 3), [1, 1], 1),
    ];
    let arch = crate::ops::arch()?;
    for (dims, (outputs, kernel), [stride, padding], points) in cases {
        let [channels, height, width] = dims;
        let (count, taps) = (channels * height * width, kernel * kernel);
        let weight = numbers(outputs * channels * taps, 1)?;
        let bias = numbers(outputs, 2)?;
        let shape = (outputs, channels, kernel, kernel);
        let params = Conv2dParams {
            stride,
            padding,
            ..Conv2dParams::default()
        };
        let map = LaidConvolution::new(
            dims,
            &Tensor::from_vec(weight.clone(), shape, &Device::Cpu)?,
            Some(&Tensor::new(&bias[..], &Device::Cpu)?),
            &params,
        )?;
        let source = Pixels {
            channels,
            area: height * width,
        };
        let (from, to) = (source.image(), map.result().image());
        let images = numbers(points * count, 3)?;
        let residuals = numbers(points * map.result().count(), 4)?;
        let (mut laid, mut added) = (vec![0.; points * from], vec![0.; points * to]);
        for (image, laid) in images.chunks(count).zip(laid.chunks_mut(from)) {
            source.lay(arch, image, laid);
        }
        let each = map.result().count();
        for (residual, laid) in residuals.chunks(each).zip(added.chunks_mut(to)) {
            map.result().lay(arch, residual, laid);
        }
        let mut results = [vec![0.; points * to], vec![0.; points * to]];
        map.run(&laid, Some(&added), &mut results[0]);
        map.run_alone(&laid, Some(&added), &mut results[1]);
        assert_eq!(results[0], results[1], "{dims:?}");
        let mut planes = vec![0.; each];
        for (at, image) in images.chunks(count).enumerate() {
            map.result()
                .put(arch, &results[0][at * to..][..to], &mut planes);
            let expected = on_paper(image, dims, (&weight, outputs, kernel), [stride, padding]);
            assert_eq!(expected.len(), each);
            for (number, expected) in expected.iter().enumerate() {
                let expected =
                    expected + bias[number * outputs / each] + residuals[at * each + number];
                let got = planes[number];
                assert!(
                    (got - expected).abs() < ROUNDING,
                    "{dims:?}: {got}, {expected}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn rows_are_those_on_paper() -> Result<()> {
    let count = 5 * LANES;
    let (a, b) = (numbers(count, 5)?, numbers(count, 6)?);
    let (rows, mut to) = (Rows::new()?, vec![0.; count]);
    let mut check = |run: &dyn Fn(&mut [f64]), expected: &dyn Fn(f64, f64) -> f64| {
        run(&mut to);
        for (at, to) in to.iter().enumerate() {
            let expected = expected(a[at], b[at]);
            assert!((to - expected).abs() < ROUNDING, "{at}: {to}, {expected}");
        }
    };
    let share = 0.3;
    check(&|to| rows.between(&a, &b, share, to), &|a, b| {
        0.7 * a + 0.3 * b
    });
    check(&|to| rows.relu_between(&a, &b, share, to), &|a, b| {
        (0.7 * a + 0.3 * b).max(0.)
    });
    check(&|to| rows.relu(&a, to), &|a, _| a.max(0.));
    check(&|to| rows.sum(&a, &b, to), &|a, b| a + b);
    let std: Vec<f64> = b.iter().map(|b| b + 2.).collect();
    check(&|to| rows.normalise(&a, &b, &std, to), &|a, b| {
        (a - b) / (b + 2.)
    });
    let mut places = Vec::new();
    rows.sign_changes(&a, &b, &mut places);
    let expected: Vec<u32> = (0..count as u32)
        .filter(|at| a[*at as usize] * b[*at as usize] < 0.)
        .collect();
    assert!(expected.len() > 10);
    assert_eq!(places, expected);
    Ok(())
}

#[cfg(target_arch = "x86_64")]
#[test]
fn every_instruction_set_does_the_same() {
    crate::ops::simd::tested::with_every_instruction_set("ops::laid", 4);
}
