//! Bad input: one line that names the value and what was expected.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::models::{Network, Representation};
use isopath::paths::regions::{crossings, segments};
use isopath::paths::{NebParams, Regions, RegionsParams, regions};

use super::{Plane, found, plane, ring};
use crate::common::{CPU, message};

#[test]
fn parameters() {
    let refused = |params: RegionsParams, expected: &str| {
        let one = plane(&[[1., 0.]]);
        assert_eq!(message(found(&Plane::new(ring), &one, &params)), expected);
        assert_eq!(message(params.validate()), expected);
    };
    let with = RegionsParams::default;
    for samples in [0, 1] {
        let expected = format!(
            "samples is {samples}; expected at least 2, since 1 would sample the ends of a segment \
             alone"
        );
        refused(RegionsParams { samples, ..with() }, &expected);
    }
    let params = RegionsParams {
        neighbors: 0,
        ..with()
    };
    refused(params, "neighbors is 0; expected at least 1");
    let params = RegionsParams {
        batch_size: 0,
        ..with()
    };
    refused(params, "batch_size is 0; expected at least 1");
    let bands = NebParams {
        pivots: 0,
        ..NebParams::default()
    };
    let params = RegionsParams {
        bands: Some(bands),
        ..with()
    };
    refused(params, "pivots is 0; expected at least 1");
}

#[test]
fn points() -> Result<()> {
    let network = Plane::new(ring);
    let refused = |points: &Tensor| message(found(&network, points, &RegionsParams::default()));
    let none = Tensor::zeros((0, 2), DType::F32, CPU)?;
    assert_eq!(
        refused(&none),
        "regions: points has shape [0, 2]; expected (N, …), N at least 1 and no dimension 0"
    );
    assert_eq!(
        refused(&Tensor::zeros(3, DType::F32, CPU)?),
        "regions: points has shape [3]; expected (N, …), N at least 1 and no dimension 0"
    );
    assert_eq!(
        refused(&Tensor::zeros((3, 2), DType::U32, CPU)?),
        "dtype of points is u32; expected floating-point"
    );
    assert_eq!(
        refused(&plane(&[[1., 0.], [f64::NAN, 0.]])),
        "points is partly NaN or ∞; expected finite numbers"
    );
    assert_eq!(
        refused(&plane(&[[1., 0.], [0., 1.], [2., 0.], [3., 0.]])),
        "the network's answer is 1 for point 2 (margin -0.7); expected 0, the class asked for, with \
         a margin above 0; leave other points out (correctly_classified does)"
    );
    Ok(())
}

#[test]
fn classes_and_representations() {
    let (network, one) = (Plane::new(ring), plane(&[[1., 0.]]));
    let params = RegionsParams::default();
    let of =
        |representation, class| message(regions(&network, representation, &one, class, &params));
    assert_eq!(
        of(Representation::Input, 2),
        "class is 2; expected below 2, the number of classes"
    );
    assert_eq!(
        of(Representation::Stage(2), 0),
        "representation is Stage(2); expected a representation of a network of 1 stages"
    );
}

/// A network with logits of its own.
#[derive(Clone)]
struct Logits(Vec<f64>);

impl Network for Logits {
    fn stages(&self) -> usize {
        1
    }

    fn stage(&self, _: usize, x: &Tensor) -> Result<Tensor> {
        Ok(Tensor::new(vec![self.0.clone(); x.dim(0)?], CPU)?)
    }
}

#[test]
fn logits() {
    let refused = |logits: &[f64]| {
        let one = plane(&[[1., 0.]]);
        message(found(
            &Logits(logits.to_vec()),
            &one,
            &RegionsParams::default(),
        ))
    };
    assert_eq!(
        refused(&[1., f64::NAN]),
        "logit is NaN; expected a finite number; check the points and the weights for NaN"
    );
    assert_eq!(
        refused(&[1.]),
        "regions: logits has shape [1, 1]; expected (1, classes), at least 2 classes"
    );
    // A tie is no answer.
    assert_eq!(
        refused(&[1., 1.]),
        "the network's answer is 0 for point 0 (margin 0); expected 0, the class asked for, with a \
         margin above 0; leave other points out (correctly_classified does)"
    );
}

#[test]
fn training_mode_is_left() -> Result<()> {
    use isopath::models::{Parameters, ResNet, ResNetParams};
    use isopath::rng::Rng;
    let network = ResNet::new(
        ResNetParams::cifar10(18, 2)?,
        Parameters::new().builder(&Rng::new(0), DType::F32, CPU),
    )?;
    assert!(network.is_training());
    let images = Rng::new(1).uniform((3, 3, 32, 32), 0., 1., DType::F32, CPU)?;
    let class = isopath::metrics::predictions(&network, &images)?.to_vec1::<u32>()?;
    let one = images.narrow(0, 0, 1)?;
    let two = Tensor::cat(&[&one, &(&one * 0.99)?], 0)?;
    let run = || {
        regions(
            &network,
            Representation::Input,
            &two,
            class[0],
            &RegionsParams::default(),
        )
    };
    // In training mode the statistics would move.
    assert_eq!(run()?, run()?);
    Ok(())
}

#[test]
fn pairs_and_checks() -> Result<()> {
    let (network, points) = (Plane::new(ring), plane(&[[1., 0.], [0., 1.], [2., 0.]]));
    let of = |pairs: &[[usize; 2]], samples| {
        let input = Representation::Input;
        [
            message(segments(&network, input, &points, pairs, samples)),
            message(crossings(&network, input, &points, pairs, samples)),
        ]
    };
    for text in of(&[], 8) {
        assert_eq!(text, "pairs is none; expected at least one");
    }
    for text in of(&[[0, 1], [1, 3]], 8) {
        assert_eq!(
            text,
            "point of a pair is 3; expected below 3, the number of points"
        );
    }
    for text in of(&[[0, 1]], 1) {
        assert!(text.starts_with("samples is 1"), "{text}");
    }
    assert_eq!(
        of(&[[2, 1]], 8)[0],
        "the network's answer is 0 and 1 at points 1 and 2; expected the same at both ends of a \
         pair; for two classes there is crossings"
    );
    let tie = segments(
        &Logits(vec![1., 1.]),
        Representation::Input,
        &points,
        &[[0, 1]],
        8,
    );
    assert_eq!(
        message(tie),
        "the network's answer is a tie at point 0; expected one class"
    );
    let two = points.narrow(0, 0, 2)?;
    let regions = found(&network, &two, &RegionsParams::default())?;
    let check = |regions: &Regions, points: &Tensor, samples| {
        let params = RegionsParams {
            samples,
            ..RegionsParams::default()
        };
        message(regions.check(&network, Representation::Input, points, &params))
    };
    assert_eq!(
        check(&regions, &two.narrow(0, 0, 1)?, 8),
        "check: points has shape [1, 2]; expected (2, …), the points of the result"
    );
    assert!(check(&regions, &two, 0).starts_with("samples is 0"));
    let broken = Regions {
        edges: vec![isopath::paths::regions::Edge {
            ends: [0, 7],
            ..regions.edges[0]
        }],
        ..regions
    };
    assert_eq!(
        check(&broken, &two, 8),
        "end of an edge is [0, 7]; expected below 2, the number of points"
    );
    // Nor do the other methods panic.
    assert_eq!((broken.path(0, 7), broken.degrees()), (None, vec![1, 0]));
    Ok(())
}
