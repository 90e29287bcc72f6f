//! Certificates by a bound of the margin's change.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::lipschitz::margin_constant;
use isopath::models::{Activation, LipschitzMlp, Model, Network as _, Representation};
use isopath::paths::certify::Verdict;
use isopath::paths::{LipschitzCertifyParams, certify, lipschitz_certify};
use isopath::progress::Progress;
use isopath::rng::Rng;

use super::{dip, network, params, point};
use crate::common::CPU;

fn own() -> LipschitzCertifyParams {
    LipschitzCertifyParams {
        progress: Progress::Hidden,
        ..LipschitzCertifyParams::default()
    }
}

#[test]
fn one_lipschitz_networks_agree_with_affine_bounds() -> Result<()> {
    let mut counts = [0; 3];
    for seed in 0..40 {
        let activation = [Activation::Relu, Activation::Tanh][seed as usize % 2];
        let model = Model::on(seed, DType::F32, CPU, move |vb| {
            LipschitzMlp::new(&[5, 12, 12, 3], activation, vb)
        })?;
        let ends = Rng::new(seed).normal((2, 5), 0., 3., DType::F32, CPU)?;
        let (start, end) = (ends.narrow(0, 0, 1)?, ends.narrow(0, 1, 1)?);
        let class = model.forward(&start)?.argmax(1)?.to_vec1::<u32>()?[0];
        let constant = margin_constant(&model, Representation::Input, class)?;
        assert!(constant < 2f64.sqrt() * 1.001, "{constant}");
        let one = lipschitz_certify(&model, class, &start, &end, &own())?;
        let other = certify(&model, class, &start, &end, &params())?;
        assert_eq!(one.verdict, other.verdict, "{seed}: {one}; {other}");
        counts[one.verdict as usize] += 1;
    }
    assert!(
        counts[0] > 8 && counts[1] > 4 && counts[2] == 0,
        "{counts:?}"
    );
    Ok(())
}

#[test]
fn a_dip_is_found_and_rounding_is_kept_out() -> Result<()> {
    let deep = dip(0.300_123, 1e-3, -1., DType::F64)?;
    let (start, end) = (point(&[0.], DType::F64)?, point(&[1.], DType::F64)?);
    let found = lipschitz_certify(&deep, 0, &start, &end, &own())?;
    assert_eq!(found.verdict, Verdict::Refuted);
    assert!((found.witness.unwrap().t - 0.300_123).abs() < 1e-3);
    // With too few parts it is not found, and nothing is proved.
    let few = LipschitzCertifyParams {
        max_parts: 4,
        ..own()
    };
    let found = lipschitz_certify(&deep, 0, &start, &end, &few)?;
    assert_eq!((found.verdict, found.parts), (Verdict::Undecided, 4));
    let layers = [[vec![1e8, -1e8, 1., 0., 0., 0., 0., 0.], vec![0.; 2]]];
    let large = network(&[4, 2], Activation::Tanh, &layers, DType::F32)?;
    let ends = [[1., 1., 0.5, 0.], [1., 1., 0.5, 1.]];
    let [start, end] = ends.map(|end| point(&end, DType::F32).unwrap());
    let known = LipschitzCertifyParams {
        constant: Some(0.1),
        max_parts: 16,
        ..own()
    };
    assert!(!lipschitz_certify(&large, 0, &start, &end, &known)?.is_proved());
    Ok(())
}

/// f(x) = (x, 0) has the margin x for class 0, with the slope 1: samples at 1 and 2 prove what lies
/// between, and K ℓ/2 less than the mean.
#[test]
fn the_bound_is_that_of_the_formula() -> Result<()> {
    let layers = [[vec![1., 0.], vec![0.; 2]]];
    let line = network(&[1, 2], Activation::Relu, &layers, DType::F64)?;
    let (start, end) = (point(&[1.], DType::F64)?, point(&[2.], DType::F64)?);
    let one = LipschitzCertifyParams {
        parts: 1,
        constant: Some(1.5),
        rounding: Some(0.1),
        ..own()
    };
    let found = lipschitz_certify(&line, 0, &start, &end, &one)?;
    assert!((found.bound - (1.5 - 0.75 - 0.2)).abs() < 1e-12 && found.is_proved());
    assert_eq!((found.parts, found.evaluations), (1, 2));
    let still = lipschitz_certify(&line, 0, &start, &start, &one)?;
    assert!((still.bound - 0.8).abs() < 1e-12 && still.is_proved());
    let text = Tensor::cat(&[&start, &end], 0)?;
    assert!(lipschitz_certify(&line, 0, &text, &text, &one).is_err());
    assert_eq!(
        found.to_string(),
        "proved: margin above 0.550000 everywhere (parts: 1)"
    );
    Ok(())
}
