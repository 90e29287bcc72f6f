//! Networks that are so sure of themselves that the cross-entropy has no gradient, and half
//! precision.

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::attacks::{Attack, Fgsm, Norm, Pgd};
use isopath::datasets::Dataset;
use isopath::losses::{CrossEntropy, LogitDifference, RescaledLogitDifference};
use isopath::metrics::accuracy;
use isopath::models::Network;

use crate::common::{Mlp, batch, largest_difference, values};

/// Logits (0, 300·(x₀ − x₁ + x₂), −50). At x = (½, ½, ½) the margin is 150, and e⁻¹⁵⁰ is 0 in f32: so
/// is every softmax but that of the answer, and with it the gradient. A change by ε in L∞ takes 900·ε
/// off the margin.
fn sure() -> Result<Mlp> {
    let weight = Tensor::new(
        &[[0f32, 0., 0.], [300., -300., 300.], [0., 0., 0.]],
        &Device::Cpu,
    )?;
    let bias = Tensor::new(&[0f32, 0., -50.], &Device::Cpu)?;
    Ok(Mlp {
        layers: vec![(weight, bias)],
    })
}

/// Three images with margins of 150, 165 and 240, and one with a margin of 3.
fn images() -> Result<Dataset> {
    let images = [
        [0.5f32, 0.5, 0.5],
        [0.5, 0.45, 0.5],
        [0.9, 0.5, 0.4],
        [0.5, 0.99, 0.5],
    ];
    Dataset::new(
        Tensor::new(&images, &Device::Cpu)?,
        Tensor::new(&[1u32; 4], &Device::Cpu)?,
    )
}

#[test]
fn an_attack_without_a_gradient_says_so_and_another_loss_has_one() -> Result<()> {
    let (network, data) = (sure()?, images()?);
    assert_eq!(accuracy(&network, &data)?, 1.);
    let eps = 0.3;
    let attacks = |fgsm: Fgsm, pgd: Pgd| -> [Box<dyn Attack>; 3] {
        let l2 = Pgd {
            norm: Norm::L2,
            alpha: 0.2,
            ..pgd.clone()
        };
        [Box::new(fgsm), Box::new(pgd), Box::new(l2)]
    };
    let pgd = Pgd {
        alpha: 0.1,
        ..Pgd::default()
    };
    for attack in attacks(Fgsm::default(), pgd.clone()) {
        let found = attack.attack(&network, &data, eps)?;
        assert_eq!(found.zero_gradients, 3);
        let (before, after) = (values(&data.inputs)?, values(&found.data.inputs)?);
        assert_eq!(after[..9], before[..9]);
        assert_ne!(after[9..], before[9..]);
        assert_eq!(found.success, [false, false, false, true]);
        let text = found.to_string();
        assert!(text.contains("1 of 4 images misled"), "{text}");
        assert!(
            text.contains("for 3 images the gradient is exactly 0")
                && text.contains("LogitDifference"),
            "{text}"
        );
        let curve = attack.curve(&network, &data, &[0.01, eps])?;
        assert_eq!((curve.zero_gradients, curve.images), (3, 4));
        assert_eq!(curve.accuracy[1], 0.75);
    }
    let pgd = |loss: Pgd| Pgd { alpha: 0.1, ..loss };
    let difference = attacks(
        Fgsm::along(LogitDifference),
        pgd(Pgd::along(LogitDifference)),
    );
    let others = difference.into_iter().chain(attacks(
        Fgsm::along(RescaledLogitDifference),
        pgd(Pgd::along(RescaledLogitDifference)),
    ));
    for attack in others {
        // In L2 the same images need 240/√(3·300²) = 0.47.
        let found = attack.attack(&network, &data, 0.5)?;
        assert_eq!(found.zero_gradients, 0);
        assert_eq!(found.success_rate(), 1., "{found}");
        assert!(!found.to_string().contains("gradient"), "{found}");
        let curve = attack.curve(&network, &data, &[0.5])?;
        assert_eq!((curve.zero_gradients, curve.accuracy[0]), (0, 0.));
    }
    Ok(())
}

#[test]
fn half_precision_is_attacked_and_scored_as_single_precision() -> Result<()> {
    let single = batch(7, 60, DType::F32)?;
    let exact = Mlp::random(2, &[12, 9, 4], DType::F32)?;
    let half = |dtype: DType| -> Result<(Mlp, Dataset)> {
        let layer = |(weight, bias): &(Tensor, Tensor)| {
            Ok((weight.to_dtype(dtype)?, bias.to_dtype(dtype)?))
        };
        let layers = exact.layers.iter().map(layer).collect::<Result<_>>()?;
        let data = Dataset {
            inputs: single.inputs.to_dtype(dtype)?,
            ..single.clone()
        };
        Ok((Mlp { layers }, data))
    };
    for norm in [Norm::LInf, Norm::L2] {
        let pgd = Pgd {
            norm,
            alpha: 0.1,
            ..Pgd::along(CrossEntropy)
        };
        let expected = pgd.attack(&exact, &single, 0.3)?;
        // bf16 has eight bits, f16 eleven.
        for (dtype, ulp) in [(DType::F16, 2f64.powi(-11)), (DType::BF16, 2f64.powi(-8))] {
            let (network, data) = half(dtype)?;
            let found = pgd.attack(&network, &data, 0.3)?;
            assert_eq!(found.data.inputs.dtype(), dtype);
            let within = 0.3 + 4. * ulp;
            assert!(
                found.distance.iter().all(|d| *d <= within),
                "{norm:?} {dtype:?}: {:?}",
                found.distance
            );
            assert!((found.success_rate() - expected.success_rate()).abs() < 0.1);
            assert!(found.loss_after > found.loss_before);
            let shares = [accuracy(&network, &data)?, accuracy(&exact, &single)?];
            assert!((shares[0] - shares[1]).abs() < 0.05, "{shares:?}");
        }
    }
    Ok(())
}

/// Sums over a batch of such images exceed the largest f16, 65,504, and squares of such a gradient are
/// below the smallest, 6e-8.
#[test]
fn large_batches_and_small_gradients_fit_in_half_precision() -> Result<()> {
    let (rows, pixels) = (20, 4_096);
    let weight = Tensor::full(1e-3f32, (3, pixels), &Device::Cpu)?;
    let rise = Tensor::new(&[[-0.01f32], [0.], [0.01]], &Device::Cpu)?;
    let weight = weight
        .broadcast_add(&(rise * 0.01)?)?
        .to_dtype(DType::F16)?;
    let network = Mlp {
        layers: vec![(weight, Tensor::zeros(3, DType::F16, &Device::Cpu)?)],
    };
    let images = Tensor::full(0.9f32, (rows, pixels), &Device::Cpu)?.to_dtype(DType::F16)?;
    let data = Dataset::new(images, Tensor::zeros(rows, DType::U32, &Device::Cpu)?)?;
    assert_eq!(network.forward(&data.inputs)?.dtype(), DType::F16);
    for norm in [Norm::LInf, Norm::L2] {
        let pgd = Pgd {
            norm,
            alpha: 1.,
            steps: 2,
            ..Pgd::along(LogitDifference)
        };
        let found = pgd.attack(&network, &data, 0.05)?;
        assert_eq!(found.zero_gradients, 0);
        let expected = match norm {
            Norm::LInf => 0.05,
            // Rounding of 4,096 pixels by half an ulp, 2⁻¹², each.
            Norm::L2 => 0.05 + 64. * 2f64.powi(-12),
        };
        for distance in &found.distance {
            assert!(
                *distance > 0.5 * 0.05 && *distance <= expected + 2f64.powi(-12),
                "{norm:?}: {distance}"
            );
        }
    }
    // A gradient of exactly 0 moves nothing, and makes no NaN.
    let still = Mlp {
        layers: vec![(
            Tensor::zeros((3, pixels), DType::F16, &Device::Cpu)?,
            Tensor::new(&[3f32, 1., 0.], &Device::Cpu)?.to_dtype(DType::F16)?,
        )],
    };
    for norm in [Norm::LInf, Norm::L2] {
        let pgd = Pgd {
            norm,
            ..Pgd::along(LogitDifference)
        };
        let found = pgd.attack(&still, &data, 0.05)?;
        assert_eq!(found.zero_gradients, rows);
        let moved = largest_difference(&values(&found.data.inputs)?, &values(&data.inputs)?);
        assert_eq!(moved, 0., "{norm:?}");
    }
    Ok(())
}
