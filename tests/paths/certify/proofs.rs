//! What is proved is true, and nearly all that is true is proved.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::models::{Activation, Mlp, Model, Network as _, Normalised, Representation};
use isopath::paths::certify::Verdict;
use isopath::paths::{
    Certificate, CertifyParams, ExactParams, NetworkEnergy, PiecewiseLinear, certify,
    certify_segments, exact, linear,
};
use isopath::progress::Progress;
use isopath::rng::Rng;
use serde_json::Value;

use super::{dip, network, params, point};
use crate::common::{CPU, with_threads};

/// The generator of `tests/fixtures/certify.py`.
struct Numbers(u64);

impl Numbers {
    fn take(&mut self, count: usize) -> Vec<f64> {
        let next = |_| {
            self.0 = self
                .0
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            ((self.0 >> 57) as f64 - 64.) / 64.
        };
        (0..count).map(next).collect()
    }
}

/// A network of `tests/fixtures/certify.py` and its segment.
struct Case {
    layers: Vec<[Vec<f64>; 2]>,
    ends: [Vec<f64>; 2],
    class: u32,
    smallest: f64,
    inside: bool,
}

const SIZES: [usize; 4] = [2, 5, 4, 3];

fn cases() -> Vec<Case> {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../fixtures/certify.json")).unwrap();
    let mut numbers = Numbers(1);
    let case = |case: &Value| {
        let layers = SIZES.windows(2).map(|pair| {
            let weight = numbers.take(pair[0] * pair[1]);
            [weight, numbers.take(pair[1])]
        });
        Case {
            layers: layers.collect(),
            ends: [numbers.take(2), numbers.take(2)],
            class: case["class"].as_u64().unwrap() as u32,
            smallest: case["smallest"].as_f64().unwrap(),
            inside: case["inside"].as_bool().unwrap(),
        }
    };
    cases.iter().map(case).collect()
}

impl Case {
    fn certificate(&self, dtype: DType) -> Result<Certificate> {
        let network = network(&SIZES, Activation::Relu, &self.layers, dtype)?;
        let [start, end] = [point(&self.ends[0], dtype)?, point(&self.ends[1], dtype)?];
        certify(&network, self.class, &start, &end, &params())
    }
}

#[test]
fn nothing_proved_is_false_by_rational_arithmetic() -> Result<()> {
    let cases = cases();
    assert_eq!(cases.len(), 400);
    let (mut inside, mut proved, mut refuted) = (0, [0; 2], [0; 2]);
    for case in &cases {
        inside += usize::from(case.inside);
        for (at, dtype) in [DType::F32, DType::F64].into_iter().enumerate() {
            let found = case.certificate(dtype)?;
            // The bound holds for the real network, too, whatever the verdict.
            assert!(
                found.bound <= case.smallest + 1e-15,
                "{found} {}",
                case.smallest
            );
            match found.verdict {
                Verdict::Proved => {
                    assert!(case.inside && found.bound > 0.);
                    proved[at] += 1;
                }
                Verdict::Refuted => {
                    let witness = found.witness.unwrap();
                    assert!(witness.margin <= 0. && (0. ..=1.).contains(&witness.t));
                    assert!(!case.inside || !witness.certain && case.smallest < 1e-5);
                    refuted[at] += 1;
                }
                Verdict::Undecided => assert!(case.smallest.abs() < 1e-4),
            }
        }
    }
    // All but those whose smallest margin is lost in rounding.
    assert_eq!(inside, 337);
    for at in 0..2 {
        assert!(
            proved[at] >= 336 && refuted[at] >= 60,
            "{proved:?} {refuted:?}"
        );
    }
    Ok(())
}

/// The same networks, the bias of the class such that the smallest margin is as small as it is said.
#[test]
fn margins_near_zero_are_proved_down_to_the_rounding() -> Result<()> {
    let margins = [1e-3, 1e-5, 1e-9, 1e-13, 0., -1e-13, -1e-9, -1e-5, -1e-3];
    // What the rounding of these sums of some dozens of numbers of size 1 is below.
    for (dtype, rounding) in [(DType::F32, 1e-4), (DType::F64, 1e-12)] {
        let mut proved = [0; 9];
        for (at, margin) in margins.into_iter().enumerate() {
            for mut case in cases() {
                let bias = &mut case.layers[2][1][case.class as usize];
                let moved = *bias - case.smallest + margin;
                let rounded = match dtype {
                    DType::F32 => f64::from(moved as f32),
                    _ => moved,
                };
                let smallest = case.smallest + (rounded - *bias);
                *bias = rounded;
                let found = case.certificate(dtype)?;
                assert!(found.bound <= smallest + 1e-15, "{found} {smallest}");
                match found.verdict {
                    Verdict::Proved => proved[at] += 1,
                    Verdict::Refuted => assert!(smallest < rounding, "{found} {smallest}"),
                    Verdict::Undecided => assert!(smallest.abs() < rounding, "{smallest}"),
                }
            }
        }
        for (margin, proved) in margins.into_iter().zip(proved) {
            assert!(
                margin < rounding || proved == 400,
                "{dtype:?} {margin}: {proved}"
            );
            assert!(margin > -rounding || proved == 0);
        }
    }
    Ok(())
}

#[test]
fn dense_samples_of_tanh_networks_keep_the_bounds() -> Result<()> {
    let mut counts = [0; 3];
    for seed in 0..150 {
        let model = Model::on(seed, DType::F32, CPU, |vb| {
            Mlp::new(&[3, 8, 6, 3], Activation::Tanh, vb)
        })?;
        // Wide weights, so that the logits bend.
        for var in model.parameters().vars() {
            var.set(&(var.as_tensor() * (1. + seed as f64 / 20.))?)?;
        }
        let ends = Rng::new(seed).uniform((2, 3), -2., 2., DType::F32, CPU)?;
        let (start, end) = (ends.narrow(0, 0, 1)?, ends.narrow(0, 1, 1)?);
        let t = (Tensor::arange(0f32, 1001., CPU)? / 1000.)?.unsqueeze(1)?;
        let points = (start.broadcast_mul(&t.affine(-1., 1.)?)? + end.broadcast_mul(&t)?)?;
        let logits = model
            .forward(&points)?
            .to_dtype(DType::F64)?
            .to_vec2::<f64>()?;
        for class in 0..3 {
            let margin = |row: &Vec<f64>| {
                let others = row.iter().enumerate().filter(|(at, _)| *at != class);
                row[class] - others.fold(f64::MIN, |a, (_, b)| a.max(*b))
            };
            let smallest = logits.iter().map(margin).fold(f64::INFINITY, f64::min);
            let found = certify(&model, class as u32, &start, &end, &params())?;
            assert!(
                found.bound <= smallest,
                "{seed}: {found}, sampled {smallest}"
            );
            assert_eq!(found.is_proved(), found.bound > 0.);
            match found.verdict {
                Verdict::Refuted => assert!(found.witness.unwrap().margin <= 0.),
                _ => assert!(smallest > 0.),
            }
            counts[found.verdict as usize] += 1;
        }
    }
    assert!(
        counts[0] > 50 && counts[1] > 200 && counts[2] == 0,
        "{counts:?}"
    );
    Ok(())
}

#[test]
fn verdicts_are_those_of_exact_pieces() -> Result<()> {
    let mut inside = 0;
    for seed in 0..60 {
        let model = Model::on(seed, DType::F64, CPU, |vb| {
            Mlp::new(&[8, 20, 20, 3], Activation::Relu, vb)
        })?;
        let ends = Rng::new(seed).normal((2, 8), 0., 2., DType::F64, CPU)?;
        let (start, end) = (ends.narrow(0, 0, 1)?, ends.narrow(0, 1, 1)?);
        let middle = ((&start + &end)? / 2.)?;
        let logits = model.forward(&middle)?.to_vec2::<f64>()?;
        let class = (0..3)
            .max_by(|a, b| logits[0][*a].total_cmp(&logits[0][*b]))
            .unwrap();
        let pieces = PiecewiseLinear::new(&model, Representation::Input)?;
        let all = ExactParams {
            stop_at_witness: false,
            ..ExactParams::default()
        };
        let known = exact(&pieces, class as u32, &start, &end, &all)?;
        let found = certify(&model, class as u32, &start, &end, &params())?;
        assert_eq!(found.is_proved(), known.inside, "{seed}: {found}");
        assert_eq!(found.verdict == Verdict::Refuted, !known.inside);
        assert!(found.bound <= known.smallest_margin + 1e-12);
        inside += usize::from(known.inside);
    }
    assert!(inside > 15 && inside < 55, "{inside}");
    Ok(())
}

#[test]
fn a_dip_between_samples_is_found_and_a_shallow_one_is_none() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        let (start, end) = (point(&[0.], dtype)?, point(&[1.], dtype)?);
        let deep = dip(0.300_123, 1e-4, -1., dtype)?;
        let energy = NetworkEnergy::new(&deep, Representation::Input, &[0])?;
        assert!(linear(&energy, &start, &end, 1, 50)?[0].is_connected());
        let found = certify(&deep, 0, &start, &end, &params())?;
        let witness = found.witness.unwrap();
        assert_eq!(found.verdict, Verdict::Refuted);
        assert!((witness.t - 0.300_123).abs() < 1e-4 && witness.margin <= 0.);
    }
    let shallow = dip(0.300_123, 1e-3, 0.05, DType::F64)?;
    let (start, end) = (point(&[0.], DType::F64)?, point(&[1.], DType::F64)?);
    let found = certify(&shallow, 0, &start, &end, &params())?;
    assert!(found.is_proved() && found.bound <= 0.05, "{found}");
    // A limit is no proof.
    for limits in [[8, 24], [4096, 4]] {
        let few = CertifyParams {
            max_parts: limits[0],
            max_depth: limits[1] as u32,
            ..params()
        };
        let found = certify(&shallow, 0, &start, &end, &few)?;
        assert_eq!(found.verdict, Verdict::Undecided);
        assert!(found.bound <= 0. && found.parts <= limits[0].min(16));
    }
    Ok(())
}

/// The margin is 0.5 in real arithmetic; (1e8 + 0.5) − 1e8 is 0 in f32, in one order of the sum.
#[test]
fn what_f32_may_lose_is_not_proved() -> Result<()> {
    let weight = vec![1e8, -1e8, 1., 0., 0., 0., 0., 0.];
    let layers = [[weight, vec![0.; 2]]];
    for (dtype, proved) in [(DType::F32, false), (DType::F64, true)] {
        let network = network(&[4, 2], Activation::Tanh, &layers, dtype)?;
        let start = point(&[1., 1., 0.5, 0.], dtype)?;
        let end = point(&[1., 1., 0.5, 1.], dtype)?;
        let found = certify(&network, 0, &start, &end, &params())?;
        assert_eq!(found.is_proved(), proved, "{found}");
        let still = certify(&network, 0, &start, &start, &params())?;
        assert_eq!(still.is_proved(), proved, "{still}");
        assert!(still.evaluations < 20);
    }
    // Sums that overflow are nothing to conclude from.
    let layers = [[vec![1e38, 1e38, 0., 0.], vec![0.; 2]]];
    let network = network(&[2, 2], Activation::Tanh, &layers, DType::F32)?;
    let (start, end) = (
        point(&[1., -1.], DType::F32)?,
        point(&[2., -1.], DType::F32)?,
    );
    assert!(!certify(&network, 0, &start, &end, &params())?.is_proved());
    Ok(())
}

#[test]
fn neither_threads_nor_company_change_a_certificate() -> Result<()> {
    let model = Model::on(3, DType::F32, CPU, |vb| {
        Mlp::new(&[6, 30, 30, 4], Activation::Tanh, vb)
    })?;
    for var in model.parameters().vars() {
        var.set(&(var.as_tensor() * 3.)?)?;
    }
    let points = Rng::new(0).uniform((24, 6), -1., 1., DType::F32, CPU)?;
    let pairs: Vec<[usize; 2]> = (0..40).map(|k| [k % 24, (7 * k + 5) % 24]).collect();
    let classes: Vec<u32> = (0..40).map(|k| k % 4).collect();
    let timeless = |all: Vec<Certificate>| -> Vec<Certificate> {
        let same = |found| Certificate {
            seconds: 0.,
            ..found
        };
        all.into_iter().map(same).collect()
    };
    let run = |threads| {
        let found = with_threads(threads, || {
            certify_segments(&model, &points, &pairs, &classes, &params()).unwrap()
        });
        timeless(found)
    };
    let found = run(1);
    assert!(found == run(3));
    for (at, found) in found.iter().enumerate().step_by(7) {
        let [start, end] = pairs[at].map(|end| points.narrow(0, end, 1).unwrap());
        let alone = certify(&model, classes[at], &start, &end, &params())?;
        assert_eq!(alone.verdict, found.verdict);
        assert!((alone.bound - found.bound).abs() < 1e-9);
    }
    Ok(())
}

/// From the input, through a normalisation and other shapes, and from a hidden representation.
#[test]
fn wrappers_and_representations_have_the_same_verdicts() -> Result<()> {
    let mlp = Model::on(1, DType::F32, CPU, |vb| {
        Mlp::new(&[12, 10, 10, 3], Activation::Tanh, vb)
    })?;
    let ends = Rng::new(4).uniform((2, 3, 2, 2), 0., 1., DType::F32, CPU)?;
    let wrapped = mlp.wrap(|mlp| Normalised::new(mlp, &[0.5, 0.4, 0.3], &[0.5, 0.25, 0.2]))?;
    let plain = wrapped.normalise(&ends)?;
    let class = wrapped
        .forward(&ends.narrow(0, 0, 1)?)?
        .argmax(1)?
        .to_vec1::<u32>()?[0];
    let run = |network: &dyn isopath::models::Network, ends: &Tensor, representation| {
        let params = CertifyParams {
            representation,
            progress: Progress::Hidden,
            ..CertifyParams::default()
        };
        certify_segments(network, ends, &[[0, 1]], &[class], &params)
    };
    let one = &run(&wrapped, &ends, Representation::Input)?[0];
    let other = &run(&mlp, &plain, Representation::Input)?[0];
    assert_eq!(one.verdict, other.verdict);
    assert!((one.bound - other.bound).abs() < 1e-3, "{one} {other}");
    let hidden = wrapped.forward_to(2, &ends)?;
    let last = &run(&wrapped, &hidden, Representation::LastHidden)?[0];
    assert_eq!(last.verdict, one.verdict);
    Ok(())
}
