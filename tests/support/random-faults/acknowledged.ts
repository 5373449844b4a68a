// What is known of one instance from the answers alone. Whoever got no answer knows nothing: what it asked for may
// have been done, or be done at any time later, until something that was answered rules it out.
import type { Instance } from '@reg/schema';

export interface Acknowledged {
  registered(run: string, answer: { generation: number; revision: number; created: boolean }): void;
  registerUnknown(run: string): void;
  /** `generation_superseded`, for this run. */
  superseded(run: string | undefined): void;
  drained(): void;
  drainUnknown(): void;
  /** By its generation or its run: that one does not come back. */
  ended(revision: number): void;
  endUnknown(): void;
  /** By force, or by hand: its run may come back. @param revision undefined: it is not known */
  removed(revision: number | undefined): void;
  removeUnknown(): void;
  /** Its lease may have ended. */
  maybeExpired(): void;
  readonly current: { readonly run: string; readonly generation: number } | undefined;
  /** What is wrong with how it is listed at the end. @param leftAlone its lease must have ended by then */
  faultOf(listed: Instance | undefined, leftAlone: boolean): string | undefined;
  /** What answers contradicted each other. */
  readonly contradictions: readonly string[];
}

export function createAcknowledged(name: string): Acknowledged {
  let state: 'listed' | 'gone' | 'unsure' = 'gone';
  let run: string | undefined;
  let generation = 0;
  let lastRevision = 0;
  let draining: 'no' | 'yes' | 'unsure' = 'no';
  const mayRegister = new Set<string>();
  const mayEnd = new Set<string>();
  /** By force: whichever run it meets. */
  let mayBeRemoved = false;
  const contradictions: string[] = [];

  function rule(out: string | undefined): void {
    if (out === undefined) return;
    mayRegister.delete(out);
    mayEnd.delete(out);
  }

  function endUnknown(): void {
    if (run !== undefined) mayEnd.add(run);
  }

  return {
    contradictions,
    get current() {
      return state !== 'gone' && run !== undefined ? { run, generation } : undefined;
    },
    registered(next, answer) {
      const isNew = next !== run;
      const isRise = isNew ? answer.generation > generation : answer.generation >= generation;
      if (!isRise) {
        contradictions.push(
          `${name}: run ${next} got generation ${answer.generation}, after ${generation} of ${run}`,
        );
      }
      if (!isNew && state === 'listed' && mayRegister.size === 0 && answer.generation !== generation) {
        contradictions.push(
          `${name}: run ${next} had generation ${generation} and got ${answer.generation} in the same run`,
        );
      }
      // Nothing new was said: a registry that is behind takes it for a renewal of what is gone elsewhere.
      const isOld = !isNew && !answer.created && state !== 'listed' && answer.revision < lastRevision;
      if (isNew) {
        rule(run);
        draining = 'no';
      }
      run = next;
      generation = answer.generation;
      lastRevision = Math.max(lastRevision, answer.revision);
      state = isOld ? 'unsure' : 'listed';
    },
    registerUnknown(next) {
      mayRegister.add(next);
      if (state === 'gone') state = 'unsure';
    },
    superseded(named) {
      if (named === undefined || named !== run || state !== 'listed') return;
      const mayBe = mayEnd.has(named) || [...mayRegister].some((one) => one !== named);
      if (!mayBe) contradictions.push(`${name}: ${named} was superseded, and by none`);
    },
    drained() {
      draining = 'yes';
    },
    drainUnknown() {
      if (draining === 'no') draining = 'unsure';
    },
    ended(revision) {
      if (revision < lastRevision) {
        endUnknown(); // by a registry that was behind, and knew it as gone
        return;
      }
      if (state === 'listed' && !mayBeRemoved) rule(run); // else it was perhaps gone, and its run may still come back
      state = mayRegister.size > 0 ? 'unsure' : 'gone';
      lastRevision = revision;
    },
    endUnknown,
    removed(revision = Number.POSITIVE_INFINITY) {
      if (revision < lastRevision) {
        mayBeRemoved = true; // by a registry that was behind, and had nothing to remove
        return;
      }
      state = mayRegister.size > 0 ? 'unsure' : 'gone';
      draining = 'unsure';
      if (Number.isFinite(revision)) lastRevision = revision;
      else lastRevision += 1;
    },
    removeUnknown() {
      mayBeRemoved = true;
    },
    maybeExpired() {
      if (state === 'listed') state = 'unsure';
      draining = 'unsure';
    },
    faultOf(listed, leftAlone) {
      const isSure = run !== undefined && !mayEnd.has(run) && !mayBeRemoved;
      const others = [...mayRegister].filter((one) => one !== run);
      const said = `run ${run}, generation ${generation}, ${state}; without an answer: ${[...mayRegister]} register, ${[...mayEnd]} end${mayBeRemoved ? ', removed' : ''}`;
      if (!listed) {
        return state === 'listed' && isSure && !leftAlone ? `${name} is lost (${said})` : undefined;
      }
      const is = `${name} is listed with run ${listed.runId}, generation ${listed.generation}, ${listed.state}`;
      if (leftAlone) return `${is}, and nobody renews it`;
      if (state === 'gone' && mayRegister.size === 0) return `${is}, and was gone (${said})`;
      if (listed.generation < generation) return `${is}, which went back (${said})`;
      if (listed.runId !== run && !others.includes(listed.runId ?? '')) return `${is}, of another (${said})`;
      if (listed.runId === run && listed.generation !== generation && others.length === 0) {
        return `${is}, another generation (${said})`;
      }
      const isSameRun = listed.runId === run && listed.generation === generation;
      const isAsDrained = draining === 'unsure' || (listed.state === 'draining') === (draining === 'yes');
      if (isSameRun && state === 'listed' && !isAsDrained) return `${is}, drained: ${draining} (${said})`;
      return undefined;
    },
  };
}
