//! A process killed at any moment, or a machine that loses power.

use super::*;

/// The outbox around one call of `sync`, and the steps that the disk saw until then.
struct Around {
    steps: std::ops::Range<usize>,
    before: Vec<QueuedPoint>,
    after: Vec<QueuedPoint>,
}

/// A run with backlog, overflow, removals of parts, a new file and an emptied one.
fn run() -> (Vec<Step>, Vec<Around>) {
    let disk = Memory::default();
    let limit = 30;
    let Opened {
        mut spool,
        mut outbox,
        ..
    } = open_within(disk.clone(), limit).unwrap();
    let mut calls = Vec::new();
    let mut before = Vec::new();
    let mut steps = 0;
    let mut sync = |outbox: &mut Outbox| {
        assert!(spool.sync(outbox).event.is_none());
        let after = held(outbox);
        calls.push(Around {
            steps: steps..disk.steps().len(),
            before: std::mem::replace(&mut before, after.clone()),
            after,
        });
        steps = disk.steps().len();
    };
    for minute in 0..100 {
        outbox.push(tick(&[metrics(), metrics(), metrics()].concat(), minute));
        sync(&mut outbox);
        if minute % 7 == 3 {
            accept(&mut outbox, &metrics()[0].namespace);
            sync(&mut outbox);
        }
        while minute % 90 == 89 && !outbox.is_empty() {
            let namespace = outbox.namespaces().next().unwrap().clone();
            accept(&mut outbox, &namespace);
            sync(&mut outbox);
        }
    }
    let steps = disk.steps();
    let created = steps.iter().filter(|step| matches!(step, Step::Create));
    assert!(created.count() > 1, "a file was written anew");
    (steps, calls)
}

/// What the next process finds.
fn found(disk: &Memory) -> Vec<QueuedPoint> {
    held(&open(&disk.fork()).outbox)
}

/// What was held before and is still held must be found, and nothing else but what
/// is just coming or going.
fn assert_between(found: &[QueuedPoint], around: &Around) {
    for held in &around.before {
        assert!(found.contains(held) || !around.after.contains(held));
    }
    for held in found {
        assert!(around.before.contains(held) || around.after.contains(held));
    }
}

#[test]
fn kill_between_any_two_steps_loses_only_what_is_being_written() {
    let (steps, calls) = run();
    let disk = Memory::default();
    for around in &calls {
        for step in &steps[around.steps.clone()] {
            assert_between(&found(&disk), around);
            disk.take(step.clone()).unwrap();
        }
        let whole = open(&disk.fork());
        assert_eq!(held(&whole.outbox), around.after);
        assert_eq!(whole.damage, None);
    }
}

#[test]
fn kill_within_a_write_loses_only_what_is_being_written() {
    let (steps, calls) = run();
    let disk = Memory::default();
    for around in &calls {
        for step in &steps[around.steps.clone()] {
            if let Step::Write(file, bytes, at) = step {
                // Each place once in a while: all of them would take minutes.
                let first = at % 199 + 1;
                for torn in (first as usize..bytes.len()).step_by(199) {
                    let disk = disk.fork();
                    let torn = Step::Write(*file, bytes[..torn].to_vec(), *at);
                    disk.take(torn).unwrap();
                    assert_between(&found(&disk), around);
                }
            }
            disk.take(step.clone()).unwrap();
        }
    }
}

#[test]
fn loss_of_power_loses_no_point_that_is_held() {
    let (steps, calls) = run();
    let disk = Memory::default();
    let mut flushed = disk.fork();
    for around in &calls {
        for step in &steps[around.steps.clone()] {
            disk.take(step.clone()).unwrap();
            if matches!(step, Step::Sync | Step::Publish) {
                flushed = disk.fork();
            }
        }
        let found = found(&flushed);
        for held in &around.after {
            assert!(found.contains(held));
        }
    }
}
