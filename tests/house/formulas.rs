//! Every mathematical item says its formula, shapes, range, errors and source, and the page of formulas names
//! items and tests that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::source::{PublicItem, of_crate, reachable};

/// The rooms of mathematics: each public function in them is a mathematical item.
const ROOMS: [&str; 10] = [
    "ops",
    "losses",
    "metrics",
    "attacks",
    "lipschitz",
    "paths",
    "optimizers",
    "distances",
    "embedding",
    "statistics",
];

/// Functions of these rooms that compute nothing.
const PLAIN: [&str; 1] = ["metrics::members"];

/// Mathematical items beside the functions: what is trained on, attacked with, descended, measured with; the
/// networks; and the functions of other rooms.
const OTHERS: [&str; 68] = [
    "attacks::Adversarial",
    "attacks::AdversarialLoss",
    "attacks::Attack",
    "attacks::Fab",
    "attacks::Fgsm",
    "attacks::Fmn",
    "attacks::GradientCosine",
    "attacks::MinimalAttack",
    "attacks::MinimalNorm",
    "attacks::Norm",
    "attacks::Pgd",
    "attacks::RobustAccuracy",
    "attacks::Square",
    "attacks::Trades",
    "checks::Bounds",
    "datasets::Augmentation",
    "datasets::entangled_rings",
    "datasets::torus",
    "distances::Cosine",
    "distances::Distance",
    "distances::Euclidean",
    "distances::Manhattan",
    "lipschitz::CrossEntropyGradient",
    "lipschitz::IsometricGradient",
    "lipschitz::MarginGroup",
    "lipschitz::Ratio",
    "losses::CrossEntropy",
    "losses::IsometricLoss",
    "losses::JacobianPenalty",
    "losses::LabelSmoothing",
    "losses::LogitDifference",
    "losses::Loss",
    "losses::Partition",
    "losses::Reconstruction",
    "losses::RescaledLogitDifference",
    "metrics::Loop",
    "models::Decoder",
    "models::Enlarged",
    "models::Layer",
    "models::LipschitzMlp",
    "models::LocallyIsometric",
    "models::Mlp",
    "models::Network",
    "models::Normalised",
    "models::ResNet",
    "models::SpectralMlp",
    "models::almost_orthogonal",
    "models::enlarge",
    "models::orthogonal",
    "models::spectrally_normalised",
    "ops::AdamStep",
    "ops::BatchNorm",
    "ops::ConvUnit",
    "ops::Distances",
    "optimizers::AdamParams",
    "optimizers::FireParams",
    "optimizers::SgdParams",
    "paths::AutoNebParams",
    "paths::Energy",
    "paths::Leps",
    "paths::MullerBrown",
    "paths::NebParams",
    "paths::NetworkEnergy",
    "paths::PiecewiseLinear",
    "paths::Profile",
    "statistics::Proportion",
    "training::Schedule",
    "training::stack_terms",
];

/// Which of the five parts an item's documentation lacks.
fn missing(item: &PublicItem) -> Vec<&'static str> {
    let has = |mark: &str| item.docs.contains(mark);
    let parts = [
        ("formula", has("```text") || has(" = ") || has(" ← ")),
        ("shapes", has("- **Shapes**:")),
        ("range", has("- **Range**:")),
        ("errors", !item.is_fallible || has("# Errors")),
        ("source", has("- **Source**:")),
    ];
    let lacking = parts.into_iter().filter(|(_, there)| !there);
    lacking.map(|(name, _)| name).collect()
}

#[test]
fn mathematics_says_formula_shapes_range_errors_and_source() {
    let all = of_crate();
    let items = reachable(&all);
    let in_a_room = |path: &str| ROOMS.contains(&path.split("::").next().unwrap_or_default());
    let mut mathematical: BTreeMap<&str, &PublicItem> = BTreeMap::new();
    for (path, item) in &items {
        let twin = path.ends_with("_composite");
        if item.is_function && in_a_room(path) && !twin && !PLAIN.contains(&path.as_str()) {
            mathematical.insert(path, item);
        }
    }
    for path in OTHERS {
        let item = items.get(path);
        mathematical.insert(path, item.unwrap_or_else(|| panic!("{path} is not public")));
    }
    let lacking: Vec<String> = mathematical
        .iter()
        .filter(|(_, item)| !missing(item).is_empty())
        .map(|(path, item)| format!("{path}: {}", missing(item).join(", ")))
        .collect();
    let complete = mathematical.len() - lacking.len();
    println!(
        "{complete} of {} mathematical items have all five parts",
        mathematical.len()
    );
    assert!(lacking.is_empty(), "without:\n{}", lacking.join("\n"));
}

/// A row of a table of formulas: where in the papers, the items, and the tests with their files.
#[derive(Debug, PartialEq)]
struct Row {
    place: String,
    items: Vec<String>,
    tests: Vec<String>,
}

/// The rows of the tables of `text` whose last columns are the item and the test.
fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let cells: Vec<&str> = line
            .split(" | ")
            .map(|cell| cell.trim_matches(['|', ' ']))
            .collect();
        match cells.as_slice() {
            [.., "item", "test"] => inside = true,
            [place, _, item, test] if inside && !place.starts_with("--") => rows.push(Row {
                place: place.to_string(),
                items: in_backquotes(item),
                tests: in_backquotes(test),
            }),
            [_, ..] if line.starts_with('|') => {}
            _ => inside = false,
        }
    }
    rows
}

fn in_backquotes(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_string)
        .collect()
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn the_page_of_formulas_names_items_and_tests_that_exist() {
    let all = of_crate();
    let items = reachable(&all);
    let page = rows(&read("src/formulas.md"));
    assert!(page.len() >= 25, "{} rows: not all were read", page.len());
    for row in &page {
        assert!(
            !row.items.is_empty() && !row.tests.is_empty(),
            "{row:?} is not complete"
        );
        for item in &row.items {
            // A method or a variant belongs to its type.
            let owner = item.rsplit_once("::").map_or("", |(owner, _)| owner);
            let exists = items.contains_key(item) || items.contains_key(owner);
            assert!(exists, "{}: {item} is not public", row.place);
        }
        for test in &row.tests {
            let (file, name) = test
                .split_once("::")
                .unwrap_or_else(|| panic!("{test} names no file"));
            let text = read(&format!("tests/{file}.rs"));
            let exists = text.contains(&format!("#[test]\nfn {name}()"));
            assert!(exists, "{}: no test {name} in tests/{file}.rs", row.place);
        }
    }
}

#[test]
fn the_readme_s_table_is_that_of_the_page() {
    let page = rows(&read("src/formulas.md"));
    let readme = rows(&read("README.md"));
    let papers =
        |row: &&Row| row.place.starts_with("*isometry*") || row.place.starts_with("*connectivity*");
    let of_papers: Vec<&Row> = page.iter().filter(papers).collect();
    assert_eq!(readme.iter().collect::<Vec<_>>(), of_papers);
    let places: BTreeSet<&str> = readme.iter().map(|row| row.place.as_str()).collect();
    assert!(
        places.len() >= 20,
        "{} places: not all were read",
        places.len()
    );
}
