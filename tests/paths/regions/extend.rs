//! Further points beside those of a result.

use isopath::Result;
use isopath::models::Representation;
use isopath::paths::RegionsParams;

use super::{Plane, found, moons, on_moons, on_ring, plane, ring};
use crate::common::message;

#[test]
fn further_points_join_the_pieces_in_which_they_lie() -> Result<()> {
    let params = RegionsParams::default();
    let all = plane(&on_moons(40));
    let first = all.narrow(0, 0, 60)?;
    let network = Plane::new(moons);
    let known = found(&network, &first, &params)?;
    let asked = network.asked();
    let both = known.extend(&network, Representation::Input, &all, &params)?;
    let more = network.asked() - asked;
    let whole = found(&network, &all, &params)?;
    assert_eq!(both.components, whole.components);
    assert_eq!(both.margins, whole.margins);
    // What was found stays, and what was asked is not asked again.
    assert_eq!(both.edges[..known.edges.len()], known.edges);
    assert_eq!(both.edges.len(), 78);
    assert_eq!(both.evaluations.values, known.evaluations.values + more);
    let (before, after) = both.left.split_at(known.left.len());
    assert_eq!(before, known.left);
    let again = |ends| before.iter().any(|edge| edge.ends == ends);
    assert!(!after.iter().any(|edge| again(edge.ends)));
    Ok(())
}

#[test]
fn what_is_not_a_continuation_is_refused() -> Result<()> {
    let params = RegionsParams::default();
    let points = plane(&on_ring(20));
    let network = Plane::new(ring);
    let known = found(&network, &points.narrow(0, 0, 15)?, &params)?;
    let extend = |params: &RegionsParams, count| {
        let points = points.narrow(0, 0, count).unwrap();
        message(known.extend(&network, Representation::Input, &points, params))
    };
    assert_eq!(
        extend(&params, 14),
        "extend: points has shape [14, 2]; expected (15 or more, …), the points of the result first"
    );
    let finer = RegionsParams {
        samples: 32,
        ..params.clone()
    };
    assert_eq!(
        extend(&finer, 20),
        "samples is 32; expected 16, as for the points before"
    );
    let mut broken = known.clone();
    broken.margins.pop();
    let result = broken.extend(&network, Representation::Input, &points, &params);
    assert_eq!(
        message(result),
        "number of margins is 14; expected 15, one for each point"
    );
    Ok(())
}
