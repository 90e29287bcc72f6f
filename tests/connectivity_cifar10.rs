//! The connectivity experiment on small random networks: pairs, verdicts, results.

mod common;

use common::{CPU, message, values};
use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::datasets::Dataset;
use isopath::experiments::cifar10;
use isopath::experiments::connectivity::{
    Agreement, Counts, Pair, Pairs, choose_misclassified_pairs, choose_pairs,
};
use isopath::experiments::connectivity_cifar10::{
    Results, Settings, Space, attack_pairs, connect_in_spaces,
};
use isopath::metrics::predictions;
use isopath::models::{Model, Network, ResNet, ResNetParams};
use isopath::paths::{Outcome, Verdict};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;
use isopath::statistics::Proportion;

/// 80 images of noise around one colour each, and a narrow random network. Every fifth image has
/// another label than the network's answer.
fn setting() -> Result<(Model<ResNet>, Dataset, Vec<u32>)> {
    let params = ResNetParams {
        classes: 4,
        zero_init_residual: false,
        ..ResNetParams::cifar10(18, 4)?
    };
    let network = Model::on(5, DType::F32, CPU, move |vb| {
        ResNet::new(params.clone(), vb)
    })?;
    let mut rng = Rng::new(6);
    let colours = rng.uniform((80, 3, 1, 1), 0., 1., DType::F32, CPU)?;
    let noise = rng.uniform((80, 3, 8, 8), -0.3, 0.3, DType::F32, CPU)?;
    let images = noise.broadcast_add(&colours)?.clamp(0., 1.)?;
    // Statistics of these images, so that the normalised ones spread over the classes.
    for _ in 0..30 {
        network.forward(&images)?;
    }
    let answers = predictions(&network, &images)?.to_vec1()?;
    let labels = Tensor::new(labels(&answers), CPU)?;
    let data = Dataset::new(images, labels)?.with_classes(["a", "b", "c", "d"])?;
    Ok((network, data, answers))
}

/// The same images, labelled by the network's answers.
fn all_right(data: &Dataset, answers: &[u32]) -> Result<(Dataset, Tensor)> {
    let answers = Tensor::new(answers, CPU)?;
    let labels = answers.clone();
    Ok((
        Dataset {
            labels,
            ..data.clone()
        },
        answers,
    ))
}

/// `count` pairs of images that the network gets right by its own labels.
fn own_pairs(data: &Dataset, answers: &[u32], count: usize, seed: u64) -> Result<Pairs> {
    let (data, answers) = all_right(data, answers)?;
    choose_pairs(&data, &[&answers], count, seed)
}

/// Labels and answers alone.
fn labelled(labels: &[u32]) -> Result<Dataset> {
    let inputs = Tensor::zeros((labels.len(), 1), DType::F32, CPU)?;
    Dataset::new(inputs, Tensor::new(labels, CPU)?)
}

fn settings() -> Settings {
    Settings {
        pairs: 12,
        max_iterations: 40,
        band_batch_size: 5,
        kept_paths: 3,
        side: 8,
        progress: Progress::Hidden,
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
    let (network, data, answers) = setting()?;
    let (settings, images) = (settings(), &data.inputs);
    let answers = Tensor::new(answers, CPU)?;
    let pairs = choose_pairs(&data, &[&answers], settings.pairs, settings.seed)?;
    let network = network.frozen()?;
    let verdicts = connect_in_spaces(&network, &pairs, &settings)?;
    for space in Space::ALL {
        let (found, pairs) = (&verdicts.at(space)?.connections, &pairs.pairs);
        assert_eq!(found.len(), pairs.len());
        for (at, (found, pair)) in found.iter().zip(pairs).enumerate() {
            let representation = space.representation();
            assert_eq!((found.pair, found.representation), (*pair, representation));
            assert_eq!(found.shown.is_some(), at < 3);
            assert_eq!(found.line.energy.len(), 9 * 5 + 1);
            // The ends are the images themselves, and what the network says to the path is what the
            // verdict says.
            if let Some(shown) = &found.shown {
                let info = &shown.info;
                let ends = Tensor::cat(
                    &[
                        info.path.get(0)?.unsqueeze(0)?,
                        info.path.get(9)?.unsqueeze(0)?,
                    ],
                    0,
                )?;
                let index = Tensor::new(&pair.index.map(|index| index as u32), CPU)?;
                let expected = representation.of(&network, &images.index_select(&index, 0)?)?;
                assert!(
                    values(&ends)
                        .iter()
                        .zip(values(&expected))
                        .all(|(a, b)| (a - b).abs() < 1e-5)
                );
                let answers = network
                    .forward_from(representation.index(network.stages())?, &info.path)?
                    .argmax(1)?
                    .to_vec1::<u32>()?;
                if space == Space::Input {
                    assert!(
                        values(&info.path)
                            .iter()
                            .all(|pixel| (0. ..=1.).contains(pixel))
                    );
                }
                for (said, answer) in shown.on_path.iter().zip(&answers) {
                    // In the network's f32.
                    assert!((said.iter().sum::<f64>() - 1.).abs() < 1e-6);
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
    }
    let counts = |space| -> Result<Counts> { Ok(verdicts.at(space)?.counts()) };
    // A linear layer's regions are convex; and this network's regions in pixels are not.
    assert_eq!(
        counts(Space::Last)?,
        Counts {
            linear: 12,
            ..Counts::default()
        }
    );
    let input = counts(Space::Input)?;
    assert!(input.linear < 12 && input.nonlinear > 0);

    let training = cifar10::Settings::default();
    let results = Results::new(&verdicts, &training, 0.8, &settings)?;
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
        serde_json::json!(pairs.pairs[0].index)
    );
    assert_eq!(json["pairs"][35]["verdict"], "linear");
    assert_eq!(keys(&json["counts"]), ["input", "first_stage", "last"]);
    assert_eq!(
        json["counts"]["last"],
        serde_json::json!({"linear": 12, "nonlinear": 0, "none": 0})
    );

    assert_eq!(json["scale"], "quick");
    let checkpoint = "cifar10_resnet50_width16_seed0.safetensors";
    assert_eq!(json["checkpoint"], checkpoint);

    let summary = verdicts.summary();
    let input = &summary.spaces[&Space::Input];
    let Counts {
        linear,
        nonlinear,
        none,
    } = counts(Space::Input)?;
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
    let (network, data, answers) = setting()?;
    let pairs = own_pairs(&data, &answers, 6, 1)?;
    let run = |threads, band_batch_size| -> Result<Vec<(Verdict, usize, u64)>> {
        let settings = Settings {
            band_batch_size,
            spaces: vec![Space::Input],
            ..settings()
        };
        let found =
            common::with_threads(threads, || connect_in_spaces(&network, &pairs, &settings))?;
        let found = &found.at(Space::Input)?.connections;
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
    let (data, predictions) = (labelled(&labels)?, Tensor::new(answers.clone(), CPU)?);
    let choose = |count, seed| -> Result<Vec<Pair>> {
        Ok(choose_pairs(&data, &[&predictions], count, seed)?.pairs)
    };
    let pairs = choose(40, 3)?;
    let mut seen: Vec<usize> = pairs.iter().flat_map(|pair| pair.index).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 80);
    for pair in &pairs {
        assert!(
            pair.index
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
    assert_eq!(choose(25, 3)?, pairs[..25]);
    assert_ne!(choose(25, 4)?, pairs[..25]);

    // Of two networks, only what both get right: the second is wrong about the first half.
    let half = |at: u32| if at < 100 { 3 } else { answers[at as usize] };
    let second = Tensor::from_iter((0..200).map(half), CPU)?;
    let shared = choose_pairs(&data, &[&predictions, &second], 10, 3)?;
    for pair in &shared.pairs {
        let right = |at: &usize| *at >= 100 && labels[*at] == pair.class;
        assert!(
            pair.index
                .iter()
                .all(|at| right(at) && answers[*at] == pair.class)
        );
    }

    let wrong = choose_misclassified_pairs(&data, &predictions, 20, 3)?;
    for Pair {
        class,
        index: [wrong, right],
    } in &wrong.pairs
    {
        assert!(labels[*wrong] != *class && labels[*right] == *class);
        assert!(answers[*wrong] == *class && answers[*right] == *class);
    }
    Ok(())
}

#[test]
fn bad_input_is_refused() -> Result<()> {
    let labels = Tensor::new(&[0u32, 0, 1, 1, 1], CPU)?;
    let five = labelled(&[0, 0, 1, 1, 1])?;
    let choose =
        |predictions: &[&Tensor], count| message(choose_pairs(&five, predictions, count, 0));
    assert_eq!(choose(&[&labels], 0), "pairs is 0; expected at least 1");
    assert_eq!(
        choose(&[&labels], 3),
        "pairs is 3; expected at most 2, as many as the data give"
    );
    assert_eq!(
        choose(&[&labels.narrow(0, 0, 1)?], 1),
        "pairs: predictions has shape [1]; expected (5,), one for each input"
    );
    assert_eq!(
        choose(&[], 1),
        "predictions is none; expected those of at least one network"
    );
    assert_eq!(
        message(choose_misclassified_pairs(&five, &labels, 1, 0)),
        "pairs is 1; expected at most 0, as many as the data give"
    );
    let (network, data, answers) = setting()?;
    let pairs = own_pairs(&data, &answers, 2, 0)?;
    let with =
        |pairs: &Pairs, settings: Settings| message(connect_in_spaces(&network, pairs, &settings));
    assert_eq!(
        with(&pairs.with([]), settings()),
        "pairs is none; expected at least one"
    );
    let far = Pair {
        class: 0,
        index: [0, 80],
    };
    assert_eq!(
        with(&pairs.with([far]), settings()),
        "index is 80; expected below 80, the number of inputs"
    );
    let other = Pair {
        class: (pairs.pairs[0].class + 1) % 4,
        ..pairs.pairs[0]
    };
    let outside = with(&pairs.with([other]), settings());
    assert!(
        outside.contains("-") && outside.contains("pair 0"),
        "{outside}"
    );
    let bad = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        with(&pairs, settings)
    };
    assert_eq!(bad(&|s| s.pivots = 0), "pivots is 0; expected at least 1");
    assert_eq!(
        bad(&|s| s.batch_size = 0),
        "batch_size is 0; expected at least 1"
    );
    assert_eq!(
        bad(&|s| s.spring_constant = 0.),
        "spring constant is 0; expected a finite number > 0"
    );
    assert_eq!(
        bad(&|s| s.spaces = Vec::new()),
        "spaces is none; expected at least one"
    );
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

    let (network, data, answers) = setting()?;
    let answers = Tensor::new(answers, CPU)?;
    let pairs = choose_pairs(&data, &[&answers], 12, settings().seed)?;
    let verdicts = connect_in_spaces(&network, &pairs, &settings())?;
    let (input, last) = (verdicts.at(Space::Input)?, verdicts.at(Space::Last)?);
    let Counts {
        linear, nonlinear, ..
    } = input.counts();
    let own = Agreement::new(input, input)?;
    assert_eq!(
        (own.both, own.neither, own.nonlinear),
        (linear, 12 - linear, [nonlinear; 2])
    );
    assert!((own.phi() - 1.).abs() < 1e-12 && linear > 0 && linear < 12);
    let mut as_input = last.clone();
    as_input.representation = input.representation;
    let other = Agreement::new(input, &as_input)?;
    assert_eq!(
        (
            other.both,
            other.only_first,
            other.only_second,
            other.neither
        ),
        (linear, 0, 12 - linear, 0)
    );
    assert!(message(Agreement::new(input, last)).contains("the same pairs in the same"));
    assert!(message(Agreement::new(input, &input.first(11))).contains("12 and 11"));
    let none = input.first(0);
    assert!(message(Agreement::new(&none, &none)).contains("at least one"));

    // By space, as the file has it.
    let both = verdicts.agreement(&verdicts)?;
    let json = serde_json::to_value(&both).unwrap();
    assert_eq!(json["input"]["both"], linear);
    assert_eq!(json["last"]["nonlinear"], serde_json::json!([0, 0]));
    assert!(both.table().to_string().contains("12 pairs"));
    Ok(())
}

#[test]
fn every_figure_and_table_is_drawn() -> Result<()> {
    let (network, data, answers) = setting()?;
    let answers = Tensor::new(answers, CPU)?;
    let pairs = choose_pairs(&data, &[&answers], 12, settings().seed)?;
    let settings = Settings {
        kept_paths: 12,
        ..settings()
    };
    let verdicts = connect_in_spaces(&network, &pairs, &settings)?;
    let count = verdicts.at(Space::Input)?.counts();
    let table = verdicts.table_1().to_string();
    assert!(table.contains(&format!("{} / 19", count.linear)), "{table}");
    assert!(table.contains("12 / 25"), "{table}");
    let shares = verdicts.table("pairs").to_string();
    assert!(shares.contains("1.000 (0.758–1.000)"), "{shares}");
    let classes = verdicts.by_class();
    assert_eq!(classes.series.len(), 2);
    assert!(
        classes
            .groups
            .iter()
            .all(|name| ["a", "b", "c", "d"].contains(&name.as_str()))
    );
    classes.figure()?;

    let input = verdicts.at(Space::Input)?;
    let hardest = input.hardest(2);
    assert!(hardest.iter().all(|found| found.verdict != Verdict::Linear));
    assert!(hardest[0].line.barrier() >= hardest[1].line.barrier());
    let film = input.filmstrip(2)?;
    assert_eq!(film.strips.len(), 4);
    assert_eq!(film.figure()?.svg.matches("<image ").count(), 40);
    let differences = input.differences(2, 0.1)?;
    assert_eq!(
        differences.rows.iter().map(Vec::len).collect::<Vec<_>>(),
        [2, 2, 2]
    );
    differences.figure()?;
    let panels = verdicts.profiles(&[Space::Input], 2)?;
    assert_eq!(panels.charts.len(), 2);
    panels.figure()?;
    // What no line leaves out cannot be drawn.
    let last = message(verdicts.at(Space::Last)?.filmstrip(2));
    assert!(
        last.starts_with("pairs is 12 that a line connects"),
        "{last}"
    );
    Ok(())
}

#[test]
fn misled_pairs_look_the_same_and_have_the_wrong_class() -> Result<()> {
    let (network, data, answers) = setting()?;
    let settings = Settings {
        eps: 0.2,
        spaces: vec![Space::Last],
        ..settings()
    };
    let pairs = own_pairs(&data, &answers, 8, 1)?;
    let attack = attack_pairs(&network, &pairs, &settings)?;
    let misled = &attack.pairs;
    assert_eq!(
        (attack.attacked, misled.data.len()),
        (8, 2 * misled.pairs.len())
    );
    assert!(!misled.is_empty());
    let said = predictions(&network, &misled.data.inputs)?.to_vec1::<u32>()?;
    let originals = values(&data.inputs);
    let size = 3 * 8 * 8;
    for (pair, changed) in misled
        .pairs
        .iter()
        .zip(values(&misled.data.inputs).chunks(2 * size))
    {
        assert!(pair.index.iter().all(|index| said[*index] == pair.class));
        // The pair that it was made of: its class lies two further back, and both images are near.
        let near = |image: &[f64], index: usize| {
            let original = &originals[index * size..][..size];
            image
                .iter()
                .zip(original)
                .all(|(a, b)| (a - b).abs() < 0.2 + 1e-6 && (0. ..=1.).contains(a))
        };
        let (start, end) = changed.split_at(size);
        let of = |from: &&Pair| near(start, from.index[0]) && near(end, from.index[1]);
        let made_of: Vec<&Pair> = pairs.pairs.iter().filter(of).collect();
        assert_eq!(made_of.len(), 1);
        assert_eq!((made_of[0].class + 2) % 4, pair.class);
    }
    let found = connect_in_spaces(&network, misled, &settings)?;
    let connections = &found.at(Space::Last)?.connections;
    assert!(
        connections
            .iter()
            .all(|found| found.verdict == Verdict::Linear
                && found.departure < 1e-5 * found.line.length())
    );

    let with = |eps| {
        let settings = Settings {
            eps,
            ..settings.clone()
        };
        message(attack_pairs(&network, &pairs, &settings))
    };
    let zero = with(0.);
    assert!(zero.contains("alpha is 0"), "{zero}");
    assert_eq!(
        with(1e-9),
        "eps is 0.000000001; expected a larger one: no pair could be misled within it"
    );
    Ok(())
}
