//! Further candidates for what the neighbours have not joined to the largest component.

use std::collections::HashMap;

use super::params::RegionsParams;
use super::sampler::{Link, Tested};
use super::search::{Search, links};
use crate::distances::nearest::nearest;
use crate::error::Result;
use crate::progress::Bar;

/// Tests the next nearest pairs between each component but the largest and the others.
///
/// Each point of such a component has as its candidates the nearest points outside, as many as
/// it has tests left; those of all points are taken in the order of their length. If something was
/// joined by them, the search begins again with the components that are left.
pub(super) fn attach(search: &mut Search, params: &RegionsParams) -> Result<()> {
    loop {
        let before = search.joined.sets();
        let open = next_nearest(search, params.max_tests_per_point)?;
        test_in_rounds(search, open, params)?;
        if search.joined.sets() == before {
            return Ok(());
        }
    }
}

/// The root of every point, and that of the largest component.
pub(super) fn roots_and_largest(search: &mut Search) -> (Vec<usize>, usize) {
    let roots = search.joined.roots();
    let mut sizes = vec![0_usize; roots.len()];
    for root in &roots {
        sizes[*root] += 1;
    }
    // Of equally large ones that of the first point, as the result has it.
    let mut largest = roots.first().copied().unwrap_or(0);
    for root in &roots {
        if sizes[*root] > sizes[largest] {
            largest = *root;
        }
    }
    (roots, largest)
}

fn next_nearest(search: &mut Search, most: usize) -> Result<Vec<Link>> {
    let (roots, largest) = roots_and_largest(search);
    let has_tests = |point: &usize| roots[*point] != largest && search.tests_of[*point] < most;
    let rows: Vec<usize> = (0..roots.len()).filter(has_tests).collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = |point: usize| most - search.tests_of[point];
    let excluded = |i: usize, j: usize| {
        roots[i] == roots[j] || search.tested.contains_key(&[i.min(j), i.max(j)])
    };
    let points = search.sampler.flat()?;
    let found = nearest(&points, &rows, wanted, excluded, &Bar::hidden())?;
    Ok(links(&rows, &found))
}

/// Tests the candidates `open`, the shortest first, in rounds.
///
/// A component has one test in a round, and one more for each that failed since it last grew: one
/// that can be joined easily wastes none, and one that cannot be joined does not take many rounds.
fn test_in_rounds(search: &mut Search, mut open: Vec<Link>, params: &RegionsParams) -> Result<()> {
    let mut failed: HashMap<usize, usize> = HashMap::new();
    while search.joined.sets() > 1 {
        let (roots, largest) = roots_and_largest(search);
        open.retain(|link| {
            let [a, b] = link.ends.map(|end| roots[end]);
            a != b && !search.tested.contains_key(&link.ends)
        });
        let quota = |root: usize| 1 + failed.get(&root).copied().unwrap_or(0);
        let mut taken: HashMap<usize, usize> = HashMap::new();
        let mut tests_of = search.tests_of.clone();
        let mut round = Vec::new();
        for link in &open {
            if round.len() == params.batch_size {
                break;
            }
            let has_tests = |end: &usize| {
                let root = roots[*end];
                root != largest
                    && tests_of[*end] < params.max_tests_per_point
                    && taken.get(&root).copied().unwrap_or(0) < quota(root)
            };
            if link.ends.iter().any(has_tests) {
                round.push(*link);
                for end in link.ends {
                    tests_of[end] += 1;
                    *taken.entry(roots[end]).or_default() += 1;
                }
            }
        }
        if round.is_empty() {
            return Ok(());
        }
        for Tested { edge, holds } in search.test(&round)? {
            if !holds {
                for end in edge.ends {
                    *failed.entry(roots[end]).or_default() += 1;
                }
            } else if !search.joined.are_joined(edge.ends) {
                search.join(edge);
            }
        }
        for (point, root) in roots.iter().enumerate() {
            if search.joined.root(point) != *root {
                // Joined to another: it begins anew.
                failed.remove(root);
                failed.remove(&search.joined.root(point));
            }
        }
        search.show();
    }
    Ok(())
}
