//! The Square attack, against torchattacks (`tests/fixtures/square.py`) and against its laws.

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::attacks::{Adversarial, Attack, Bounds, Norm, Square};
use isopath::datasets::Dataset;
use isopath::models::Network;
use serde::Deserialize;

use crate::apart::{self, images, message};
use crate::common::{Mlp, values};

#[derive(Deserialize)]
struct Fixture {
    weights: Vec<Vec<f64>>,
    images: Vec<f64>,
    labels: Vec<u32>,
    seeds: usize,
    queries: usize,
    cases: Vec<Spread>,
}

/// What the reference finds with several seeds, image by image.
#[derive(Deserialize)]
struct Spread {
    norm: Norm,
    eps: f64,
    /// The smallest and the largest of the best margins.
    least: Vec<f64>,
    most: Vec<f64>,
    /// How often the image is misled.
    misled: Vec<usize>,
}

fn square() -> Square {
    Square {
        queries: 60,
        ..Square::default()
    }
}

#[test]
fn it_finds_what_torchattacks_finds() -> Result<()> {
    let text = include_str!("../fixtures/square.json");
    let fixture: Fixture = serde_json::from_str(text).unwrap();
    let tensor = |index: usize, shape: &[usize]| {
        Tensor::from_vec(fixture.weights[index].clone(), shape, &Device::Cpu)
    };
    let network = Mlp {
        layers: vec![
            (tensor(0, &[12, 72])?, tensor(1, &[12])?),
            (tensor(2, &[4, 12])?, tensor(3, &[4])?),
        ],
    };
    let images = Tensor::from_vec(fixture.images, (20, 2, 6, 6), &Device::Cpu)?;
    let labels = Tensor::new(fixture.labels.clone(), &Device::Cpu)?;
    let data = Dataset::new(images, labels)?;
    for case in fixture.cases {
        let square = Square {
            norm: case.norm,
            queries: fixture.queries,
            ..Square::default()
        };
        let found = square.attack(&network, &data, case.eps)?;
        let logits = values(&network.forward(&found.data.inputs)?)?;
        let (mut own, mut theirs) = (0., 0.);
        for (row, logits) in logits.chunks(4).enumerate() {
            let label = fixture.labels[row] as usize;
            let others = (0..4).filter(|class| *class != label);
            let other = others.map(|class| logits[class]).fold(f64::MIN, f64::max);
            let margin = logits[label] - other;
            let (least, most) = (case.least[row], case.most[row]);
            // One of 13 draws is the worst of them once in 13 times; by half the spread, never here.
            let name = format!("{:?}, eps {}, image {row}", case.norm, case.eps);
            assert!(
                margin <= most + (most - least) / 2.,
                "{name}: {margin} of {least} to {most}"
            );
            if case.misled[row] == fixture.seeds {
                assert!(found.success[row], "{name} is not misled");
            }
            if case.misled[row] == 0 {
                own += margin;
                theirs += (least + most) / 2.;
            }
        }
        // On images that stay right the reference, whose windows never reach the last line and
        // column, is no better.
        assert!(
            own <= theirs * 1.02,
            "{:?} {}: {own} {theirs}",
            case.norm,
            case.eps
        );
    }
    Ok(())
}

#[test]
fn laws_of_every_attack_that_decides_for_each_image_alone() -> Result<()> {
    for norm in [Norm::LInf, Norm::L2] {
        let attack = |batch_size, bounds| Square {
            norm,
            batch_size,
            bounds,
            ..square()
        };
        apart::laws(norm, &attack)?;
    }
    Ok(())
}

#[test]
fn an_image_of_any_size_has_windows() -> Result<()> {
    for norm in [Norm::LInf, Norm::L2] {
        for shape in [
            [1, 1, 1],
            [1, 1, 7],
            [3, 2, 2],
            [1, 4, 4],
            [2, 3, 5],
            [1, 9, 6],
        ] {
            let pixels = shape.iter().product();
            let network = Mlp::random(7, &[pixels, 5, 3], DType::F32)?;
            let data = images(&network, 9, &shape, DType::F32)?;
            let found = Square { norm, ..square() }.attack(&network, &data, 0.2)?;
            assert!(found.loss_after > found.loss_before, "{norm:?} {shape:?}");
        }
    }
    // One channel needs no axis of its own.
    let network = Mlp::random(7, &[16, 5, 3], DType::F32)?;
    let data = images(&network, 9, &[1, 4, 4], DType::F32)?;
    let pixels = |found: Adversarial| values(&found.data.inputs);
    let flat = square().attack(&network, &data.clone().reshaped(&[4, 4])?, 0.2)?;
    assert_eq!(
        pixels(flat)?,
        pixels(square().attack(&network, &data, 0.2)?)?
    );
    // A point is one line.
    let data = data.reshaped(&[16])?;
    for norm in [Norm::LInf, Norm::L2] {
        let found = Square { norm, ..square() }.attack(&network, &data, 0.2)?;
        assert!(found.loss_after > found.loss_before);
    }
    let data = data.reshaped(&[2, 2, 2, 2])?;
    assert_eq!(
        message(square().attack(&network, &data, 0.2)),
        "Square: inputs has shape [2, 2, 2, 2]; expected (C, H, W), (H, W) or (d,) for each image"
    );
    Ok(())
}

#[test]
fn more_queries_mislead_more_and_seeds_differ() -> Result<()> {
    let network = Mlp::random(7, &[36, 9, 3], DType::F32)?;
    let data = images(&network, 60, &[1, 6, 6], DType::F32)?;
    for norm in [Norm::LInf, Norm::L2] {
        let with = |queries, seed| {
            let square = Square {
                norm,
                queries,
                seed,
                ..Square::default()
            };
            square.attack(&network, &data, 0.08)
        };
        let (few, many) = (with(5, 0)?, with(300, 0)?);
        assert!(few.loss_after < many.loss_after && few.success_rate() <= many.success_rate());
        assert!(many.success_rate() > 0. && many.success_rate() < 1.);
        // The first image, and then a window each.
        assert_eq!(
            (few.gradient_evaluations, many.gradient_evaluations),
            (6, 301)
        );
        assert_ne!(values(&few.data.inputs)?, values(&with(5, 1)?.data.inputs)?);
        assert_eq!(values(&few.data.inputs)?, values(&with(5, 0)?.data.inputs)?);
    }
    Ok(())
}

#[test]
fn it_moves_linear_logits_into_the_corner_of_the_ball() -> Result<()> {
    // One pixel a window at the end: every pixel ends where the sign of its weight says.
    let network = Mlp::random(3, &[9, 2], DType::F64)?;
    let data = images(&network, 20, &[1, 3, 3], DType::F64)?;
    let square = Square {
        queries: 2_000,
        bounds: None,
        ..Square::default()
    };
    let found = square.attack(&network, &data, 1e-3)?;
    let weights = network.layers[0].0.to_vec2::<f64>()?;
    let dual: f64 = weights[0]
        .iter()
        .zip(&weights[1])
        .map(|(a, b)| (a - b).abs())
        .sum();
    assert!(
        (found.loss_after - found.loss_before - 1e-3 * dual).abs() < 1e-10
            || found.success_rate() > 0.
    );
    Ok(())
}

#[test]
fn fields_out_of_range_are_refused() -> Result<()> {
    let network = Mlp::random(7, &[16, 5, 3], DType::F32)?;
    let data = images(&network, 4, &[1, 4, 4], DType::F32)?;
    let of = |square: Square| message(square.attack(&network, &data, 0.1));
    assert_eq!(
        of(Square {
            queries: 0,
            ..square()
        }),
        "queries is 0; expected at least 1"
    );
    assert_eq!(
        of(Square {
            batch_size: 0,
            ..square()
        }),
        "batch_size is 0; expected at least 1"
    );
    for p_init in [0., -1., 1.1, f64::NAN] {
        let expected = format!("p_init is {p_init}; expected a number in (0, 1]");
        assert_eq!(of(Square { p_init, ..square() }), expected);
    }
    let bounds = Some(Bounds { min: 1., max: 0. });
    assert!(of(Square { bounds, ..square() }).starts_with("bounds is [1, 0]"));
    assert_eq!(square().to_string(), "Square, 60 queries");
    assert_eq!(
        Square {
            norm: Norm::L2,
            ..square()
        }
        .to_string(),
        "Square, 60 queries, L2"
    );
    Ok(())
}
