//! Linear pieces of networks along segments, against rational arithmetic.

mod figures;
mod networks;

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::models::{
    Activation, Enlarged, Layer, Mlp, Model, Network, Normalised, Representation, ResNet,
    ResNetParams,
};
use isopath::paths::{
    ExactInfo, ExactParams, NetworkEnergy, PiecewiseLinear, exact, exact_path, exact_pieces, linear,
};
use isopath::progress::Progress;
use isopath::rng::Rng;
use networks::{Layered, affine, cases};

use crate::common::{CPU, assert_close, build, message, values, with_threads};

/// Sums of some dozens of numbers of size 1 to 100, and quotients of them.
const ROUNDING: f64 = 1e-12;

fn params() -> ExactParams {
    ExactParams {
        stop_at_witness: false,
        progress: Progress::Hidden,
        ..ExactParams::default()
    }
}

fn from_input(network: &dyn Network) -> Result<PiecewiseLinear> {
    PiecewiseLinear::new(network, Representation::Input)
}

/// All but the time that it took.
fn same(a: &ExactInfo, b: &ExactInfo) -> bool {
    let timeless = |info: &ExactInfo| ExactInfo {
        seconds: 0.,
        evaluations: 0.,
        ..info.clone()
    };
    timeless(a) == timeless(b)
}

#[test]
fn pieces_are_those_of_rational_arithmetic() -> Result<()> {
    let all = cases();
    assert_eq!(all.len(), 5);
    for case in all {
        println!("{}", case.name);
        let network = from_input(&case.network)?;
        let pieces = exact_pieces(&network, &case.start, &case.end, &params())?;
        assert_close(&pieces.t, &case.t, ROUNDING);
        assert_close(&values(&pieces.logits), &case.logits.concat(), 1e-11);
        assert!(pieces.residual < 1e-13, "{}", pieces.residual);
        assert_eq!(pieces.stages.first(), Some(&None));
        assert!(
            pieces.stages[1..case.t.len() - 1]
                .iter()
                .all(Option::is_some)
        );
        for class in 0..2 {
            let info = exact(&network, class, &case.start, &case.end, &params())?;
            let margin = |row: &Vec<f64>| {
                let others = row
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| *at != class as usize);
                row[class as usize] - others.fold(f64::MIN, |a, (_, b)| a.max(*b))
            };
            let expected: Vec<f64> = case.logits.iter().map(margin).collect();
            let smallest = expected.iter().copied().fold(f64::INFINITY, f64::min);
            assert_close(&[info.smallest_margin], &[smallest], 1e-11);
            let found: Vec<f64> = info.margins.iter().map(|[_, margin]| *margin).collect();
            assert_close(&found, &expected, 1e-11);
            assert_close(&pieces.margins(class)?, &expected, 1e-11);
            assert_eq!(info.pieces, case.t.len() - 1);
            // A change of one unit each; but windows of a pooling overlap and change together.
            let changes = info.crossings_by_stage.iter().sum::<usize>();
            let overlapping = case.name == "max_pool";
            assert!(changes == case.t.len() - 2 || overlapping && changes > case.t.len() - 2);
            assert_eq!(info.inside, smallest > 0.);
        }
    }
    Ok(())
}

#[test]
fn neither_threads_nor_chunks_change_a_number() -> Result<()> {
    for case in cases() {
        let network = from_input(&case.network)?;
        let run = |threads, chunk| {
            let params = ExactParams { chunk, ..params() };
            with_threads(threads, || {
                exact(&network, 0, &case.start, &case.end, &params).unwrap()
            })
        };
        let first = run(1, 64);
        for (threads, chunk) in [(2, 64), (1, 2), (2, 2), (2, 3), (3, 17)] {
            let other = run(threads, chunk);
            assert!(same(&first, &other), "{}: {threads}, {chunk}", case.name);
            // Where windows meet, a point is computed twice.
            assert_eq!(run(1, chunk).evaluations, other.evaluations);
        }
    }
    Ok(())
}

#[test]
fn a_residual_network_has_its_pieces_from_every_representation() -> Result<()> {
    for stem in [
        isopath::models::resnet::Stem::Cifar,
        isopath::models::resnet::Stem::Imagenet,
    ] {
        let shape = ResNetParams {
            depths: [1, 2, 1, 1],
            stem,
            zero_init_residual: false,
            ..ResNetParams::cifar10(50, 2)?
        };
        let network = Model::new(3, move |vb| ResNet::new(shape.clone(), vb))?.freeze()?;
        let network = network.frozen()?;
        let images = Rng::new(1).uniform((2, 3, 16, 16), 0., 1., DType::F32, CPU)?;
        for stage in [0, 2, 5, 7] {
            let points = network.forward_to(stage, &images)?;
            let segment = PiecewiseLinear::new(&network, Representation::Stage(stage))?;
            let (start, end) = (points.narrow(0, 0, 1)?, points.narrow(0, 1, 1)?);
            let info = exact(&segment, 0, &start, &end, &params())?;
            println!("{stage}: {info} {:?}", info.crossings_by_stage);
            assert!(info.residual < 1e-12, "{info}");
            assert!(
                info.crossings_by_stage[..stage]
                    .iter()
                    .all(|count| *count == 0)
            );
            if stage == 0 {
                assert!(info.pieces > 200);
                let parts = &info.crossings_by_stage[..5];
                assert!(parts.iter().all(|count| *count > 0), "{parts:?}");
            } else if stage > 4 {
                assert_eq!(info.pieces, 1);
            }
            // Every breakpoint's margin is that of the network at that point.
            let energy = NetworkEnergy::new(&network, Representation::Stage(stage), &[0])?;
            let sampled = &linear(&energy, &start, &end, 5, 4)?[0];
            let at = |t: f64| {
                let after = info.margins.partition_point(|[own, _]| *own < t);
                let [b, there] = info.margins[after];
                let [a, here] = info.margins[after.saturating_sub(1)];
                // Concave between them: not below the line.
                let share = if b > a { (t - a) / (b - a) } else { 0. };
                here + share * (there - here)
            };
            let size = sampled.margin.iter().fold(0f64, |a, b| a.max(b.abs()));
            for (k, margin) in sampled.margin.iter().enumerate() {
                let lowest = at(k as f64 / 20.);
                assert!(*margin > lowest - 1e-4 * size, "{margin} {lowest}");
            }
            let info = exact_pieces(&segment, &start, &start, &params())?;
            assert_eq!(info.t, [0.]);
        }
    }
    Ok(())
}

#[test]
fn wrappers_say_their_layers() -> Result<()> {
    let relu =
        |sizes: &'static [usize]| Model::new(5, move |vb| Mlp::new(sizes, Activation::Relu, vb));
    let mlp = relu(&[48, 10, 8, 3])?;
    let images = Rng::new(2).uniform((2, 3, 4, 4), 0., 1., DType::F32, CPU)?;
    let ends = |images: &Tensor| -> Result<(Tensor, Tensor)> {
        Ok((images.narrow(0, 0, 1)?, images.narrow(0, 1, 1)?))
    };
    let pieces = |network: &dyn Network, images: &Tensor| {
        let (start, end) = ends(images)?;
        exact_pieces(&from_input(network)?, &start, &end, &params())
    };
    // Images, and the vectors of their numbers.
    let plain = pieces(&mlp, &images)?;
    let vectors = pieces(&mlp, &images.flatten_from(1)?)?;
    assert_eq!(plain.t, vectors.t);
    assert!(plain.t.len() > 4);
    // The normalisation of what would undo it.
    let (mean, std) = ([0.4, 0.5, 0.3], [0.2, 0.25, 0.5]);
    let normalised = mlp.wrap(move |mlp| Normalised::new(mlp, &mean, &std))?;
    let factor = Tensor::new(&[0.2f32, 0.25, 0.5], CPU)?.reshape((1, 3, 1, 1))?;
    let shift = Tensor::new(&[0.4f32, 0.5, 0.3], CPU)?.reshape((1, 3, 1, 1))?;
    let before = images.broadcast_mul(&factor)?.broadcast_add(&shift)?;
    // Pixels of f32 are rounded.
    assert_close(&pieces(&normalised, &before)?.t, &plain.t, 1e-5);
    // One mean for all.
    let one = mlp.wrap(|mlp| Normalised::new(mlp, &[0.5], &[0.5]))?;
    let found = pieces(&one, &((&images * 0.5)? + 0.5)?)?;
    assert_close(&found.t, &plain.t, 1e-5);
    // Small images, enlarged beforehand or by the network.
    let small = Rng::new(3).uniform((2, 3, 3, 2), 0., 1., DType::F32, CPU)?;
    let enlarged = mlp.wrap(|network| Enlarged { network, side: 4 })?;
    let beforehand = pieces(&mlp, &isopath::models::enlarge(&small, 4)?)?;
    assert_close(&pieces(&enlarged, &small)?.t, &beforehand.t, 1e-5);
    assert_eq!(pieces(&enlarged, &images)?.t, plain.t);
    Ok(())
}

/// 1 − 2 max(10⁴ · (10⁻⁴ − |x − c|), 0) for class 0 against 0, with |x| = max(x, 0) + max(−x, 0): a
/// dip of width 10⁻⁴ around c that a sample at i/50 does not meet.
fn dip(c: f64) -> Layered {
    Layered(vec![
        vec![affine(&[&[1.], &[-1.]], &[-c, c]), Layer::Relu { input: 1 }],
        vec![affine(&[&[-1e4, -1e4]], &[1.]), Layer::Relu { input: 1 }],
        vec![affine(&[&[-2.], &[0.]], &[1., 0.])],
    ])
}

#[test]
fn a_dip_between_samples_has_a_witness() -> Result<()> {
    let network = dip(0.31234);
    let (start, end) = (Tensor::new(&[[0f64]], CPU)?, Tensor::new(&[[1f64]], CPU)?);
    let energy = NetworkEnergy::new(&network, Representation::Input, &[0])?;
    assert!(linear(&energy, &start, &end, 1, 50)?[0].is_connected());
    let segment = from_input(&network)?;
    let stopping = ExactParams {
        stop_at_witness: true,
        ..params()
    };
    let info = exact(&segment, 0, &start, &end, &stopping)?;
    let t = info.witness.unwrap();
    assert!(!info.inside && info.smallest_margin < 0. && info.at == t);
    assert!((t - 0.31234).abs() < 1e-4);
    let logits = network
        .forward(&Tensor::new(&[[t]], CPU)?)?
        .to_vec2::<f64>()?;
    assert!(logits[0][0] - logits[0][1] < 0., "{logits:?}");
    // At the dip's edge, at its bottom, where the search stops; the other edge comes after.
    assert_eq!(info.pieces, 2);
    let all = exact(&segment, 0, &start, &end, &params())?;
    assert_eq!((all.pieces, all.witness), (4, Some(t)));
    // A path with the dip in its second leg: the third one is left out.
    let path = Tensor::new(&[[-0.5f64], [0.], [1.], [2.]], CPU)?;
    let legs = exact_path(&segment, 0, &path, &stopping)?;
    assert_eq!(legs.len(), 2);
    assert!(legs[0].inside && same(&legs[1], &info));
    let legs = exact_path(&segment, 0, &path, &params())?;
    let inside: Vec<bool> = legs.iter().map(|leg| leg.inside).collect();
    assert_eq!(inside, [true, false, true]);
    assert!(
        info.to_string().starts_with("outside at t = 0.312"),
        "{info}"
    );
    Ok(())
}

#[test]
fn a_unit_that_is_zero_at_a_point_has_no_other_crossing_there() -> Result<()> {
    // |x|, and x twice: two units that change together.
    let network = Layered(vec![
        vec![
            affine(&[&[1.], &[-1.], &[1.]], &[0.; 3]),
            Layer::Relu { input: 1 },
        ],
        vec![affine(&[&[1., 1., 0.], &[0., 0., 1.]], &[0.25, 0.])],
    ]);
    let segment = from_input(&network)?;
    let point = |x: f64| Tensor::new(&[[x]], CPU);
    let found = |start, end| exact(&segment, 0, &point(start)?, &point(end)?, &params());
    for (start, end) in [(0., 1.), (-1., 0.), (-2., -1.)] {
        assert_eq!(found(start, end)?.pieces, 1);
    }
    let across = found(-1., 3.)?;
    assert_eq!((across.pieces, across.margins[1]), (2, [0.25, 0.25]));
    assert_eq!(across.crossings_by_stage, [3, 0]);
    let pieces = exact_pieces(&segment, &point(-1.)?, &point(3.)?, &params())?;
    assert_eq!(pieces.stages, [None, Some(0), None]);
    // The units are exactly 0 there, whatever the rounding of the place.
    let third = exact_pieces(&segment, &point(-1.)?, &point(2.)?, &params())?;
    assert_eq!(third.logits.to_vec2::<f64>()?[1], [0.25, 0.]);
    // One point.
    let still = found(2., 2.)?;
    assert_eq!((still.pieces, still.margins), (0, vec![[0., 0.25]]));
    Ok(())
}

#[test]
fn bad_input_is_refused() -> Result<()> {
    let mlp = Model::new(5, |vb| Mlp::new(&[2, 4, 3], Activation::Relu, vb))?;
    let network = from_input(&mlp)?;
    let point = |x: f32| Tensor::new(&[[x, 1.]], CPU);
    let (start, end) = (point(0.)?, point(1.)?);
    let refused = |class, start: &Tensor, end: &Tensor, params: &ExactParams| {
        message(exact(&network, class, start, end, params))
    };
    assert_eq!(
        refused(3, &start, &end, &params()),
        "class is 3; expected below 3, the number of classes"
    );
    assert_eq!(
        refused(
            0,
            &start,
            &end,
            &ExactParams {
                chunk: 1,
                ..params()
            }
        ),
        "chunk is 1; expected at least 2, the ends of a piece"
    );
    assert_eq!(
        refused(
            0,
            &start,
            &end,
            &ExactParams {
                checks: 0,
                ..params()
            }
        ),
        "checks is 0; expected at least 1"
    );
    assert_eq!(
        refused(0, &start, &point(f32::NAN)?, &params()),
        "end is partly NaN or ∞; expected finite numbers"
    );
    assert_eq!(
        refused(0, &start.squeeze(0)?, &end.squeeze(0)?, &params()),
        "exact: start has shape [2]; expected (1, …), one point of floating-point numbers \
         (unsqueeze(0) adds the 1)"
    );
    assert_eq!(
        refused(0, &start, &end.narrow(1, 0, 1)?, &params()),
        "exact: end has shape [1, 1]; expected [1, 2], that of start"
    );
    assert_eq!(
        message(exact_path(&network, 0, &start, &params())),
        "exact_path: path has shape [1, 2]; expected (N, …), N at least 2"
    );
    let tanh = build(&[2, 4, 3], 0, DType::F32)?;
    assert_eq!(
        message(from_input(&tanh)),
        "network is not known to be piecewise linear in stage 0; expected stages that say their \
         layers (Network::layers), as those of a network with ReLU; for any other network bounds \
         serve instead"
    );
    // Its last stage alone is.
    let last = PiecewiseLinear::new(&tanh, Representation::LastHidden)?;
    let hidden = |x: f32| Tensor::full(x, (1, 4), CPU);
    let info = exact(&last, 0, &hidden(0.)?, &hidden(1.)?, &params())?;
    assert_eq!(info.pieces, 1);
    Ok(())
}

#[test]
fn layers_that_are_not_the_networks_are_refused() -> Result<()> {
    let right = dip(0.5);
    #[derive(Clone)]
    struct Wrong(Layered);
    impl Network for Wrong {
        fn stages(&self) -> usize {
            self.0.stages()
        }
        fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
            self.0.stage(index, x)
        }
        fn layers(&self, index: usize) -> Result<Option<Vec<Layer>>> {
            let mut layers = self.0.layers(index)?.unwrap();
            if index == 2 {
                layers = vec![affine(&[&[-2.], &[0.]], &[1.5, 0.])];
            }
            Ok(Some(layers))
        }
    }
    let (start, end) = (Tensor::new(&[[0f64]], CPU)?, Tensor::new(&[[1f64]], CPU)?);
    let found = exact(
        &from_input(&Wrong(right.clone()))?,
        0,
        &start,
        &end,
        &params(),
    );
    assert_eq!(
        message(found),
        "layers is others: logits up to 1.000e0 differ by 5.000e-1; expected what the stages \
         compute, in evaluation mode (Network::layers)"
    );
    let later = Layered(vec![vec![Layer::Relu { input: 1 }]]);
    assert_eq!(
        message(exact(&from_input(&later)?, 0, &start, &end, &params())),
        "input is 1; expected at most 0, an earlier result, in layer 1"
    );
    let images = Tensor::zeros((1, 1, 2, 2), DType::F64, CPU)?;
    assert_eq!(
        message(exact(&from_input(&right)?, 0, &images, &images, &params())),
        "exact: input of a layer has shape [1, 2, 2]; expected (N, I) for an affine map; \
         Layer::Flatten makes it so"
    );
    Ok(())
}
