//! One call for a pair and one for many, with a network of one's own whose regions are known: the
//! inside and the outside of a ball.

mod common;

use common::{CPU, message, values};
use isopath::Result;
use isopath::display::Show as _;
use isopath::paths::Verdict;
use isopath::prelude::*;

/// Class 1 is the ball of radius `radius` around the point with all coordinates `centre`, class 0 the
/// rest: logits (10 (‖x − c‖² − r²), 0). Representation 1 is x − c.
#[derive(Clone)]
struct Ball {
    centre: f64,
    radius: f64,
}

impl Network for Ball {
    fn stages(&self) -> usize {
        2
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        match index {
            0 => Ok((x - self.centre)?),
            _ => {
                let square = x.sqr()?.flatten_from(1)?.sum_keepdim(1)?;
                let outside = ((square - self.radius * self.radius)? * 10.)?;
                Ok(Tensor::cat(&[&outside, &outside.zeros_like()?], 1)?)
            }
        }
    }
}

/// Around 0 in the plane.
const DISC: Ball = Ball {
    centre: 0.,
    radius: 0.5,
};

/// Around the grey image.
const GREY: Ball = Ball {
    centre: 0.5,
    radius: 0.7,
};

fn hidden() -> ConnectParams {
    ConnectParams {
        progress: Progress::Hidden,
        ..ConnectParams::default()
    }
}

fn points(points: &[[f32; 2]], labels: &[u32]) -> Result<Dataset> {
    let inputs = Tensor::from_vec(points.concat(), (points.len(), 2), CPU)?;
    let data = Dataset::new(inputs, Tensor::new(labels, CPU)?)?;
    data.with_classes(["outside", "inside"])
}

/// Two 4×4 images, one bright on the left, one on the right, not quite opposite to each other.
fn halves() -> Result<Dataset> {
    let pixels = (0..32).map(|at| {
        let (image, column) = (at / 16, at % 4);
        let bright = (column < 2) == (image == 0);
        (if bright { 0.95f32 } else { 0.05 }) - 0.003 * (at % 5) as f32
    });
    let images = Tensor::from_iter(pixels, CPU)?
        .clamp(0., 1.)?
        .reshape((2, 1, 4, 4))?;
    Dataset::new(images, Tensor::new(&[0u32, 0], CPU)?)?.with_classes(["outside", "grey"])
}

#[test]
fn a_pair_of_points_is_connected_around_a_disc() -> Result<()> {
    let opposite = points(&[[-1., 0.05], [1., 0.05]], &[0, 0])?;
    let found = connect(&DISC, &opposite, Representation::Input, &hidden())?;
    assert_eq!(found.verdict, Verdict::Nonlinear);
    // Every point of the path, and the middle between two, is outside of the disc.
    let path = found.shown()?.info.path.clone();
    let rows = values(&path);
    let outside = |x: f64, y: f64| assert!(x * x + y * y > 0.25, "({x}, {y})");
    for pair in rows.chunks(2).collect::<Vec<_>>().windows(2) {
        outside(pair[0][0], pair[0][1]);
        outside(
            (pair[0][0] + pair[1][0]) / 2.,
            (pair[0][1] + pair[1][1]) / 2.,
        );
    }
    // Around a half circle of radius 0.5 at least.
    assert!(
        found.length_ratio() > 1.1 && found.departure > 0.4,
        "{found:?}"
    );
    assert!(
        found
            .to_string()
            .starts_with("outside: connected by a band alone, after ")
    );

    let beside = points(&[[-1., 0.8], [1., 0.8]], &[0, 0])?;
    let line = connect(&DISC, &beside, Representation::Input, &hidden())?;
    assert_eq!((line.verdict, line.iterations), (Verdict::Linear, 0));
    let within = points(&[[-0.3, 0.1], [0.2, -0.4]], &[1, 1])?;
    let line = connect(&DISC, &within, Representation::Stage(1), &hidden())?;
    assert_eq!(line.verdict, Verdict::Linear);

    // Points are no images: the result shows its energies, line and band.
    assert_eq!(found.profile().series.len(), 2);
    assert_eq!(line.profile().series.len(), 1);
    let shown = found.bundle();
    assert!(
        shown
            .get("image/svg+xml")
            .is_some_and(|svg| svg.contains("cross-entropy"))
    );
    assert!(message(found.filmstrip()).contains("points"));
    Ok(())
}

#[test]
fn no_path_is_found_where_there_is_none() -> Result<()> {
    // On a line nothing leads around an interval.
    let inputs = Tensor::new(&[[-1f32], [1.]], CPU)?;
    let pair = Dataset::new(inputs, Tensor::new(&[0u32, 0], CPU)?)?;
    let found = connect(&DISC, &pair, Representation::Input, &hidden())?;
    assert_eq!(found.verdict, Verdict::NoneFound);
    assert_eq!(found.to_string(), "0: no path found in 200 iterations");
    Ok(())
}

#[test]
fn a_pair_of_images_is_a_filmstrip_and_stays_in_its_range() -> Result<()> {
    let pair = halves()?;
    let fast = |bounds| ConnectParams {
        neb: NebParams {
            optimizer: paths::Optimizer::adam(0.2),
            bounds,
            ..NebParams::default()
        },
        ..hidden()
    };
    let found = connect(&GREY, &pair, Representation::Input, &fast(None))?;
    assert_eq!(found.verdict, Verdict::Nonlinear);
    let inside = |points: &Tensor| {
        values(points)
            .iter()
            .all(|pixel| (0. ..=1.).contains(pixel))
    };
    assert!(inside(&found.shown()?.info.path));
    let film = found.filmstrip()?;
    assert_eq!(film.strips.len(), 2);
    assert_eq!(film.classes, ["outside", "grey"]);
    let svg = found.figure()?.svg;
    assert_eq!(svg.matches("<image ").count(), 20);
    // The middle of the line is grey, and nothing on the band is.
    assert!(svg.contains("✗ grey"));
    let answers = |said: &[Vec<f64>]| said.iter().filter(|p| p[1] > 0.5).count();
    let shown = found.shown()?;
    assert!(answers(&shown.on_line) > 0);
    assert_eq!(answers(&shown.on_path), 0);

    // Hidden representations have no range, and a decoder shows them.
    let found = connect(&GREY, &pair, Representation::Stage(1), &fast(None))?;
    assert!(!inside(&found.shown()?.info.path));
    assert!(message(found.filmstrip()).contains("pixels of images"));
    assert!(found.figure()?.svg.contains("cross-entropy"));
    #[derive(Clone)]
    struct Decoder;
    impl Network for Decoder {
        fn stages(&self) -> usize {
            1
        }
        fn stage(&self, _: usize, z: &Tensor) -> Result<Tensor> {
            Ok((z + GREY.centre)?.clamp(0., 1.)?)
        }
    }
    let decoded = found.decoded(&Decoder)?.figure()?;
    assert_eq!(decoded.svg.matches("<image ").count(), 20);
    // A range of one's own counts.
    let wide = Bounds { min: -9., max: 9. };
    let found = connect(&GREY, &pair, Representation::Input, &fast(Some(wide)))?;
    assert!(!inside(&found.shown()?.info.path));
    Ok(())
}

#[test]
fn many_pairs_are_a_table() -> Result<()> {
    let mut rng = Rng::new(4);
    let inputs = rng.uniform((60, 2), -1., 1., DType::F32, CPU)?;
    let labels = predictions(&DISC, &inputs)?;
    let data = Dataset::new(inputs.clone(), labels)?.with_classes(["outside", "inside"])?;
    let params = ConnectParams {
        seed: 3,
        kept_paths: 2,
        ..hidden()
    };
    let found = connectivity(&DISC, &data, Representation::Input, 8, &params)?;
    assert_eq!(found.len(), 8);
    let rows: Vec<Vec<f64>> = values(&inputs).chunks(2).map(<[f64]>::to_vec).collect();
    let mut clear = 0;
    for (at, one) in found.connections.iter().enumerate() {
        let [start, end] = one.pair.index.map(|index| rows[index].clone());
        // How near the segment comes to the centre.
        let chord = [end[0] - start[0], end[1] - start[1]];
        let square = chord[0] * chord[0] + chord[1] * chord[1];
        let along = -(start[0] * chord[0] + start[1] * chord[1]) / square;
        let t = along.clamp(0., 1.);
        let near = (start[0] + t * chord[0]).hypot(start[1] + t * chord[1]);
        let expected = match (one.pair.class, near) {
            (1, _) => Verdict::Linear,
            (_, near) if near > 0.5 => Verdict::Linear,
            _ => Verdict::Nonlinear,
        };
        // A segment that only grazes the disc can pass between two samples.
        if one.pair.class == 1 || (near - 0.5).abs() > 0.02 {
            assert_eq!(one.verdict, expected, "pair {at}, {near} from the centre");
            clear += 1;
        }
        assert_eq!(one.shown.is_some(), at < 2);
    }
    let counts = found.counts();
    assert!(
        clear >= 6 && counts.linear >= 4 && counts.nonlinear >= 1,
        "{counts}"
    );
    let share = isopath::statistics::Proportion::new(counts.linear, 8).to_string();
    let shown = found.bundle();
    for form in ["text/plain", "text/html"] {
        let table = shown.get(form).unwrap_or_default();
        assert!(
            table.contains(&share) && table.contains("none found"),
            "{table}"
        );
    }
    assert!(
        shown
            .get("text/plain")
            .unwrap_or_default()
            .starts_with("8 pairs")
    );

    // The same pairs with the same seed, others with another.
    let index = |found: &isopath::experiments::connectivity::Connections| {
        let pairs = found.connections.iter();
        pairs.map(|one| one.pair.index).collect::<Vec<_>>()
    };
    let other = ConnectParams {
        seed: 4,
        ..params.clone()
    };
    let again = connectivity(&DISC, &data, Representation::Input, 8, &params)?;
    assert_eq!(index(&again), index(&found));
    let other = connectivity(&DISC, &data, Representation::Input, 8, &other)?;
    assert_ne!(index(&other), index(&found));
    Ok(())
}

#[test]
fn pairs_that_cannot_be_connected_are_refused() -> Result<()> {
    let with =
        |data: &Dataset, representation| message(connect(&DISC, data, representation, &hidden()));
    let wrong = points(&[[-1., 0.], [0.1, 0.]], &[0, 0])?;
    assert_eq!(
        with(&wrong, Representation::Input),
        "the network's answer is inside for the second input; expected outside, its label; choose two \
         inputs that the network classifies correctly"
    );
    let different = points(&[[-1., 0.], [0.1, 0.]], &[0, 1])?;
    assert_eq!(
        with(&different, Representation::Input),
        "pair is outside and inside; expected two inputs of one class"
    );
    let three = points(&[[-1., 0.], [1., 0.], [1., 1.]], &[0, 0, 0])?;
    assert_eq!(
        with(&three, Representation::Input),
        "pair is 3 inputs; expected two inputs of one class"
    );
    let two = three.first(2)?;
    assert_eq!(
        with(&two, Representation::Stage(3)),
        "representation is Stage(3); expected a representation of a network of 2 stages"
    );
    let same = three.select(&[0, 0])?;
    assert!(with(&same, Representation::Input).contains("the start itself"));
    let many = connectivity(&DISC, &three, Representation::Input, 2, &hidden());
    assert_eq!(
        message(many),
        "pairs is 2; expected at most 1, as many as the data give"
    );

    // What the network gets right, and when that is nothing.
    let right = correctly_classified(&DISC, &wrong)?;
    assert_eq!(values(&right.inputs), [-1., 0.]);
    let none = correctly_classified(&DISC, &wrong.select(&[1])?);
    assert!(message(none).contains("wrong about all inputs"));
    Ok(())
}
