//! Pictures of linear pieces.

use isopath::Result;
use isopath::models::{Activation, Mlp, Model};
use isopath::paths::exact_pieces;

use super::{CPU, from_input, message, params};
use isopath::candle::Tensor;

#[test]
fn every_breakpoint_is_counted_and_the_smallest_margin_is_seen() -> Result<()> {
    let network = Model::new(3, |vb| Mlp::new(&[2, 30, 30, 3], Activation::Relu, vb))?;
    let start = Tensor::new(&[[-2f32, 1.]], CPU)?;
    let end = Tensor::new(&[[3f32, -2.]], CPU)?;
    let pieces = exact_pieces(&from_input(&network)?, &start, &end, &params())?;
    let density = pieces.density();
    let counted: f64 = density.series.iter().flat_map(|series| &series.mean).sum();
    // All but both ends.
    assert_eq!(counted, pieces.t.len() as f64 - 2.);
    density.figure()?;

    let smallest = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let least = smallest(&pieces.margins(1)?);
    let (whole, near) = (pieces.margin_chart(1, 4)?, pieces.margin_around(1)?);
    assert_eq!(smallest(&whole.series[0].mean), least);
    assert_eq!(smallest(&near.series[0].mean), least);
    assert!(smallest(&whole.series[1].mean) >= least);
    assert_eq!(whole.series[1].x.len(), 5);
    whole.figure()?;
    near.figure()?;
    assert_eq!(
        message(pieces.margin_chart(1, 0)),
        "samples is 0; expected at least 1"
    );
    assert!(pieces.margin_around(3).is_err());
    Ok(())
}
