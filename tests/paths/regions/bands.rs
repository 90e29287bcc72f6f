//! Bands for what segments leave apart.

use isopath::Result;
use isopath::candle::{D, Tensor};
use isopath::models::{Network, Representation};
use isopath::paths::regions::EdgeKind;
use isopath::paths::{Evaluations, NebParams, Optimizer, RegionsParams, regions};

use super::plane;

/// Class 0 is the plane but for a round hill of some height; differentiable.
#[derive(Clone)]
struct Hill(f64);

impl Network for Hill {
    fn stages(&self) -> usize {
        1
    }

    fn stage(&self, _: usize, x: &Tensor) -> Result<Tensor> {
        let height = ((x.sqr()?.sum_keepdim(D::Minus1)? * -0.5)?.exp()? * self.0)?;
        Ok(Tensor::cat(&[&(1. - &height)?, &height], 1)?)
    }
}

#[test]
fn a_band_goes_around_a_hill_that_no_segment_passes() -> Result<()> {
    let points = plane(&[[-3., 0.1], [-3., 0.2], [-3.1, 0.], [3., 0.1], [3., 0.2]]);
    let network = Hill(1.);
    let without = RegionsParams::default();
    let apart = regions(&network, Representation::Input, &points, 0, &without)?;
    assert_eq!(apart.components, [vec![0, 1, 2], vec![3, 4]]);
    let with = |max_iterations| RegionsParams {
        bands: Some(NebParams {
            optimizer: Optimizer::adam(0.05),
            max_iterations,
            ..NebParams::default()
        }),
        ..RegionsParams::default()
    };
    let joined = regions(&network, Representation::Input, &points, 0, &with(500))?;
    assert!(joined.is_connected());
    // Or later, where segments have ended.
    let later = apart.extend(&network, Representation::Input, &points, &with(500))?;
    assert_eq!(later, joined);
    let band = joined.edges[3];
    // At the nearest pair of the two.
    assert_eq!((band.ends, band.kind), ([0, 3], EdgeKind::Band));
    assert!(band.length > 6.1 && band.margin > 0. && band.at > 0.3 && band.at < 0.7);
    assert_eq!(joined.path(1, 4).unwrap(), [1, 0, 3, 4]);
    assert_eq!((&joined.left, joined.tests), (&apart.left, apart.tests));
    assert!(joined.evaluations.gradients > 0);
    assert!(joined.evaluations.values > apart.evaluations.values);
    // Its points are not kept, so a check leaves it.
    let dense = RegionsParams {
        samples: 64,
        ..with(500)
    };
    let check = joined.check(&network, Representation::Input, &points, &dense)?;
    assert_eq!(
        (check.failed.len(), &check.components),
        (0, &joined.components)
    );
    assert_eq!(check.repaired.components, joined.components);
    // One that has no time to get there.
    let early = regions(&network, Representation::Input, &points, 0, &with(1))?;
    assert_eq!(early.components, apart.components);
    let left = early.left.last().unwrap();
    assert_eq!((left.kind, left.length), (EdgeKind::Band, 6.));
    assert!(left.margin <= 0. && early.evaluations != Evaluations::default());
    Ok(())
}
