//! The connectivity experiment on small random networks: pairs, verdicts, results.

mod common;

use common::{CPU, message, values};
use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::experiments::connectivity_cifar10::{
    Agreement, Connection, Counts, Pair, Proportion, Results, Settings, Space, Summary,
    choose_misclassified_pairs, choose_pairs, connect, counts, mislead, probabilities,
};
use isopath::metrics::predictions;
use isopath::models::{Network, Parameters, ResNet, ResNetParams};
use isopath::paths::{Outcome, Verdict};
use isopath::progress::Bar;
use isopath::rng::Rng;
use isopath::scale::Scale;

/// 80 images of noise around one colour each, and what a narrow random network says to them.
fn setting() -> Result<(ResNet, Tensor, Vec<u32>)> {
    let params = ResNetParams {
        classes: 4,
        zero_init_residual: false,
        ..ResNetParams::cifar10(18, 4)?
    };
    let parameters = Parameters::new();
    let network = ResNet::new(params, parameters.builder(&Rng::new(5), DType::F32, CPU))?;
    let mut rng = Rng::new(6);
    let colours = rng.uniform((80, 3, 1, 1), 0., 1., DType::F32, CPU)?;
    let noise = rng.uniform((80, 3, 8, 8), -0.3, 0.3, DType::F32, CPU)?;
    let images = noise.broadcast_add(&colours)?.clamp(0., 1.)?;
    // Statistics of these images, so that the normalised ones spread over the classes.
    for _ in 0..30 {
        network.forward(&images)?;
    }
    let network = network.freeze()?;
    let answers = predictions(&network, &images, 80)?.to_vec1()?;
    Ok((network, images, answers))
}

fn settings() -> Settings {
    Settings {
        pairs: 12,
        max_iterations: 40,
        bands_at_once: 5,
        kept_paths: 3,
        side: 8,
        ..Settings::of(Scale::Quick)
    }
}

/// Every fifth image is one that the network gets wrong.
fn labels(answers: &[u32]) -> Vec<u32> {
    answers
        .iter()
        .enumerate()
        .map(|(at, answer)| {
            if at % 5 == 4 {
                (answer + 1) % 4
            } else {
                *answer
            }
        })
        .collect()
}

#[test]
fn every_space_has_a_verdict_on_every_pair() -> Result<()> {
    let (network, images, answers) = setting()?;
    let (settings, labels) = (settings(), labels(&answers));
    let pairs = choose_pairs(&labels, &answers, settings.pairs, settings.seed)?;
    let mut all: Vec<Connection> = Vec::new();
    for space in Space::ALL {
        let found = connect(&network, &images, &pairs, space, &settings, &Bar::hidden())?;
        assert_eq!(found.len(), pairs.len());
        for (at, (found, pair)) in found.iter().zip(&pairs).enumerate() {
            assert_eq!((found.pair, found.space), (*pair, space));
            assert_eq!(found.info.is_some(), at < 3);
            assert_eq!(found.line.energy.len(), 9 * 5 + 1);
            // The ends are the images themselves, and what the network says to the path is what the
            // verdict says.
            if let Some(info) = &found.info {
                let ends = Tensor::cat(
                    &[
                        info.path.get(0)?.unsqueeze(0)?,
                        info.path.get(9)?.unsqueeze(0)?,
                    ],
                    0,
                )?;
                let index = Tensor::new(&pair.test_index.map(|index| index as u32), CPU)?;
                let expected = space.of(&network, &images.index_select(&index, 0)?)?;
                assert!(
                    values(&ends)
                        .iter()
                        .zip(values(&expected))
                        .all(|(a, b)| (a - b).abs() < 1e-5)
                );
                let answers = network
                    .forward_from(space.stage(), &info.path)?
                    .argmax(1)?
                    .to_vec1::<u32>()?;
                if space == Space::Input {
                    assert!(
                        values(&info.path)
                            .iter()
                            .all(|pixel| (0. ..=1.).contains(pixel))
                    );
                }
                let said = probabilities(&network, space, &info.path)?;
                for (said, answer) in said.iter().zip(&answers) {
                    assert!((said.iter().sum::<f64>() - 1.).abs() < 1e-12);
                    assert!(said.iter().all(|p| *p <= said[*answer as usize]));
                }
                if found.verdict != Verdict::NoneFound {
                    assert!(answers.iter().all(|answer| *answer == pair.class));
                }
            }
            assert_eq!(found.line.is_connected(), found.verdict == Verdict::Linear);
            assert_eq!(
                found.path.is_connected(),
                found.outcome == Outcome::Connected
            );
        }
        all.extend(found);
    }
    let verdicts = |space| counts(all.iter().filter(|found| found.space == space));
    // A linear layer's regions are convex; and this network's regions in pixels are not.
    assert_eq!(
        verdicts(Space::Last),
        Counts {
            linear: 12,
            ..Counts::default()
        }
    );
    assert!(verdicts(Space::Input).linear < 12 && verdicts(Space::Input).nonlinear > 0);

    let results = Results::new(Scale::Quick, "random", network.params(), 0.8, 5, &all);
    let json = serde_json::to_value(&results).unwrap();
    let keys = |value: &serde_json::Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        keys(&json),
        [
            "scale",
            "checkpoint",
            "normalisation",
            "test_accuracy",
            "samples_per_segment",
            "pairs",
            "counts"
        ]
    );
    assert_eq!(keys(&json["normalisation"]), ["mean", "std"]);
    assert_eq!(json["normalisation"]["mean"][1], 0.4822);
    assert_eq!(json["pairs"].as_array().unwrap().len(), 36);
    assert_eq!(
        keys(&json["pairs"][0]),
        [
            "class",
            "test_index",
            "space",
            "verdict",
            "barrier_line",
            "barrier_path",
            "length_ratio",
            "iterations"
        ]
    );
    assert_eq!(json["pairs"][12]["space"], "first_stage");
    assert_eq!(
        json["pairs"][12]["test_index"],
        serde_json::json!(pairs[0].test_index)
    );
    assert_eq!(json["pairs"][35]["verdict"], "linear");
    assert_eq!(keys(&json["counts"]), ["input", "first_stage", "last"]);
    assert_eq!(
        json["counts"]["last"],
        serde_json::json!({"linear": 12, "nonlinear": 0, "none": 0})
    );

    let summary = Summary::new(&all);
    let input = &summary.spaces[&Space::Input];
    let Counts {
        linear,
        nonlinear,
        none,
    } = verdicts(Space::Input);
    assert_eq!(
        [input.linear.count, input.nonlinear.count, input.none.count],
        [linear, nonlinear, none]
    );
    assert_eq!(input.classes.values().map(Counts::total).sum::<usize>(), 12);
    assert!(input.median_iterations.is_some_and(|median| median >= 1.));
    assert_eq!(input.iterations.values().sum::<usize>(), nonlinear);
    assert!(
        input
            .median_departure
            .is_some_and(|share| share > 0. && share < 1.)
    );
    assert!(
        input
            .median_largest_change
            .is_some_and(|change| change > 0. && change <= 1.)
    );
    assert_eq!(summary.spaces[&Space::Last].median_length_ratio, None);
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_verdicts() -> Result<()> {
    let (network, images, answers) = setting()?;
    let pairs = choose_pairs(&answers, &answers, 6, 1)?;
    let run = |threads, bands_at_once| -> Result<Vec<(Verdict, usize, u64)>> {
        let settings = Settings {
            bands_at_once,
            ..settings()
        };
        let found = common::with_threads(threads, || {
            connect(
                &network,
                &images,
                &pairs,
                Space::Input,
                &settings,
                &Bar::hidden(),
            )
        })?;
        Ok(found
            .iter()
            .map(|found| {
                (
                    found.verdict,
                    found.iterations,
                    found.path.barrier().to_bits(),
                )
            })
            .collect())
    };
    assert_eq!(run(1, 6)?, run(3, 6)?);
    // In other company a pair may differ by rounding, no more.
    for (one, other) in run(1, 6)?.iter().zip(run(1, 4)?) {
        assert_eq!(one.0, other.0);
    }
    Ok(())
}

#[test]
fn pairs_are_right_disjoint_and_in_turns() -> Result<()> {
    let answers: Vec<u32> = (0..200).map(|at| at * at % 7 % 4).collect();
    let labels = labels(&answers);
    let pairs = choose_pairs(&labels, &answers, 40, 3)?;
    let mut seen: Vec<usize> = pairs.iter().flat_map(|pair| pair.test_index).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 80);
    for pair in &pairs {
        assert!(
            pair.test_index
                .iter()
                .all(|at| labels[*at] == pair.class && answers[*at] == pair.class)
        );
    }
    // No class is 3 by chance of this formula.
    assert_eq!(
        pairs
            .iter()
            .take(6)
            .map(|pair| pair.class)
            .collect::<Vec<_>>(),
        [0, 1, 2, 0, 1, 2]
    );
    // More pairs begin with the same ones; another seed gives others.
    assert_eq!(choose_pairs(&labels, &answers, 25, 3)?, pairs[..25]);
    assert_ne!(choose_pairs(&labels, &answers, 25, 4)?, pairs[..25]);

    let wrong = choose_misclassified_pairs(&labels, &answers, 20, 3)?;
    for Pair {
        class,
        test_index: [wrong, right],
    } in &wrong
    {
        assert!(labels[*wrong] != *class && labels[*right] == *class);
        assert!(answers[*wrong] == *class && answers[*right] == *class);
    }
    Ok(())
}

#[test]
fn bad_input_is_refused() -> Result<()> {
    let labels = [0, 0, 1, 1, 1];
    assert_eq!(
        message(choose_pairs(&labels, &labels, 0, 0)),
        "pairs is 0; expected at least 1"
    );
    assert_eq!(
        message(choose_pairs(&labels, &labels, 3, 0)),
        "pairs is 3; expected at most 2, as many as the images give"
    );
    assert_eq!(
        message(choose_pairs(&labels, &[0], 1, 0)),
        "predictions is 1; expected 5, one for each label"
    );
    assert_eq!(
        message(choose_misclassified_pairs(&labels, &labels, 1, 0)),
        "pairs is 1; expected at most 0, as many as the images give"
    );
    let (network, images, answers) = setting()?;
    let pairs = choose_pairs(&answers, &answers, 2, 0)?;
    let with = |pairs: &[Pair], settings: Settings| {
        message(connect(
            &network,
            &images,
            pairs,
            Space::Input,
            &settings,
            &Bar::hidden(),
        ))
    };
    assert_eq!(
        with(&[], settings()),
        "pairs is none; expected at least one"
    );
    let far = Pair {
        class: 0,
        test_index: [0, 80],
    };
    assert_eq!(
        with(&[far], settings()),
        "test_index is 80; expected below 80, the number of images"
    );
    let other = Pair {
        class: (pairs[0].class + 1) % 4,
        ..pairs[0]
    };
    assert!(with(&[other], settings()).starts_with("margin of a start is -"));
    assert_eq!(
        with(
            &pairs,
            Settings {
                pivots: 0,
                ..settings()
            }
        ),
        "pivots is 0; expected at least 1"
    );
    assert_eq!(
        with(
            &pairs,
            Settings {
                batch_size: 0,
                ..settings()
            }
        ),
        "batch_size is 0; expected at least 1"
    );
    let no = |bad| {
        with(
            &pairs,
            Settings {
                spring_constant: bad,
                ..settings()
            },
        )
    };
    assert_eq!(no(0.), "spring constant is 0; expected a finite number > 0");
    Ok(())
}

#[test]
fn intervals_are_wilsons() {
    // from statsmodels.stats.proportion import proportion_confint  # 0.15.0
    // proportion_confint(count, of, 0.05, "wilson")
    for (count, of, low, high) in [
        (0, 25, 0.0, 0.13319225093904855),
        (25, 25, 0.8668077490609515, 1.0),
        (19, 25, 0.5657031664457092, 0.8850368630659856),
        (14, 25, 0.3706733186979878, 0.7333436111893266),
        (6, 25, 0.11496313693401441, 0.43429683355429083),
        (173, 200, 0.8107086162924745, 0.9055342954521209),
        (1, 1, 0.2065493143772374, 1.0),
        (500, 1000, 0.4690696003681042, 0.5309303996318958),
    ] {
        let found = Proportion::new(count, of);
        assert!(
            (found.low - low).abs() < 1e-14 && (found.high - high).abs() < 1e-14,
            "{found:?}"
        );
        assert_eq!(found.share, count as f64 / of as f64);
    }
    // No rounding where the interval ends at 0 or 1.
    assert_eq!(
        (Proportion::new(0, 200).low, Proportion::new(7, 7).high),
        (0., 1.)
    );
    let none = Proportion::new(0, 0);
    assert_eq!((none.low, none.high), (0., 1.));
    assert_eq!(Proportion::new(19, 25).to_string(), "0.760 (0.566–0.885)");
}

#[test]
fn agreement_counts_lines_and_correlates_them() -> Result<()> {
    // from sklearn.metrics import matthews_corrcoef as phi              # scikit-learn 1.9.1
    // phi([1] * 40 + [0] * 20, [1] * 30 + [0] * 10 + [1] * 5 + [0] * 15)
    let agreement = Agreement {
        both: 30,
        only_first: 10,
        only_second: 5,
        neither: 15,
        nonlinear: [20, 25],
    };
    assert!(
        (agreement.phi() - 0.47809144373375745).abs() < 1e-12,
        "{}",
        agreement.phi()
    );
    assert!((agreement.both_by_chance() - 40. * 35. / 60.).abs() < 1e-12);
    assert!(
        Agreement {
            only_first: 0,
            neither: 0,
            only_second: 0,
            ..agreement
        }
        .phi()
        .is_nan()
    );

    let (network, images, answers) = setting()?;
    let pairs = choose_pairs(&labels(&answers), &answers, 12, settings().seed)?;
    let of = |space| {
        connect(
            &network,
            &images,
            &pairs,
            space,
            &settings(),
            &Bar::hidden(),
        )
    };
    let (input, last) = (of(Space::Input)?, of(Space::Last)?);
    let Counts {
        linear, nonlinear, ..
    } = counts(&input);
    let own = Agreement::new(&input, &input)?;
    assert_eq!(
        (own.both, own.neither, own.nonlinear),
        (linear, 12 - linear, [nonlinear; 2])
    );
    assert!((own.phi() - 1.).abs() < 1e-12 && linear > 0 && linear < 12);
    let mut as_input = last.clone();
    as_input
        .iter_mut()
        .for_each(|found| found.space = Space::Input);
    let other = Agreement::new(&input, &as_input)?;
    assert_eq!(
        (
            other.both,
            other.only_first,
            other.only_second,
            other.neither
        ),
        (linear, 0, 12 - linear, 0)
    );
    assert!(message(Agreement::new(&input, &last)).contains("the same pairs twice"));
    assert!(message(Agreement::new(&input, &input[..11])).contains("12 and 11"));
    assert!(message(Agreement::new(&[], &[])).contains("at least one"));
    Ok(())
}

#[test]
fn misled_pairs_look_the_same_and_have_the_wrong_class() -> Result<()> {
    let (network, images, answers) = setting()?;
    let settings = Settings {
        eps: 0.2,
        ..settings()
    };
    let pairs = choose_pairs(&answers, &answers, 8, 1)?;
    let misled = mislead(&network, &images, &pairs, 4, &settings)?;
    assert_eq!(
        (misled.attacked, misled.images.dim(0)?),
        (8, 2 * misled.pairs.len())
    );
    assert!(!misled.pairs.is_empty());
    let said = predictions(&network, &misled.images, 80)?.to_vec1::<u32>()?;
    let originals = values(&images);
    let size = 3 * 8 * 8;
    for (pair, changed) in misled
        .pairs
        .iter()
        .zip(values(&misled.images).chunks(2 * size))
    {
        assert!(
            pair.test_index
                .iter()
                .all(|index| said[*index] == pair.class)
        );
        // The pair that it was made of: its class lies two further back, and both images are near.
        let near = |image: &[f64], index: usize| {
            let original = &originals[index * size..][..size];
            image
                .iter()
                .zip(original)
                .all(|(a, b)| (a - b).abs() < 0.2 + 1e-6 && (0. ..=1.).contains(a))
        };
        let (start, end) = changed.split_at(size);
        let of = |from: &&Pair| near(start, from.test_index[0]) && near(end, from.test_index[1]);
        let made_of: Vec<&Pair> = pairs.iter().filter(of).collect();
        assert_eq!(made_of.len(), 1);
        assert_eq!((made_of[0].class + 2) % 4, pair.class);
    }
    let found = connect(
        &network,
        &misled.images,
        &misled.pairs,
        Space::Last,
        &settings,
        &Bar::hidden(),
    )?;
    assert!(
        found.iter().all(|found| found.verdict == Verdict::Linear
            && found.departure < 1e-5 * found.line.length())
    );

    let eps = Settings {
        eps: 0.,
        ..settings.clone()
    };
    assert!(message(mislead(&network, &images, &pairs, 4, &eps)).contains("alpha is 0"));
    let eps = Settings {
        eps: 1e-9,
        ..settings
    };
    assert_eq!(
        message(mislead(&network, &images, &pairs, 4, &eps)),
        "eps is 0.000000001; expected enough to mislead the network about one pair"
    );
    Ok(())
}
