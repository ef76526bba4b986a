/**
 * Makes a task: what it is to compute, with what.
 * @module
 */
import type { TaskStatus } from "@fibserver/client";
import { useRef, useState } from "hono/jsx/dom";
import { useComeback } from "../comeback.ts";
import { Formula } from "../formula.tsx";
import { type Asked, computationOf, type KindName, KINDS, readAsked, TASK_KINDS } from "../kinds.ts";
import type { Server } from "../server.ts";
import { Notice } from "../words.tsx";

/** The form. What was typed stays there when the kind becomes another one. */
export function MakeForm(props: { readonly server: Server; readonly onMade: (task: TaskStatus) => void }) {
  const [kind, setKind] = useState<KindName>("fibonacci");
  const [error, setError] = useState<unknown>(undefined);
  /** What is wrong with what was typed, for each input. */
  const [wrong, setWrong] = useState<readonly (string | undefined)[]>([]);
  const [isBusy, setBusy] = useState(false);
  const asked = useRef<Asked | null>(null);
  const { fields } = KINDS[kind];
  const make = () => {
    setBusy(true);
    props.server.client.tasks
      .create(computationOf(asked.current!))
      .then(({ status }) => props.onMade(status))
      .catch(setError)
      .finally(() => setBusy(false));
  };
  useComeback(error, () => {
    setError(undefined);
    make();
  });
  const submit = (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setError(undefined);
    const { elements } = event.target as HTMLFormElement;
    const inputs = fields.map((_, i) => elements.namedItem(`argument${i}`) as HTMLInputElement);
    const read = readAsked(
      kind,
      inputs.map(({ value }) => value),
    );
    if ("wrong" in read) {
      setWrong(read.wrong);
      return inputs[read.wrong.findIndex(Boolean)]!.focus();
    }
    asked.current = read.asked;
    make();
  };
  const choose = (event: Event) => {
    setKind((event.target as HTMLSelectElement).value as KindName);
    setWrong([]);
  };
  return (
    <form class="make" onSubmit={submit} aria-label="Make a task">
      <div class="inline">
        <label for="task-kind">Compute</label>
        <select id="task-kind" onChange={choose}>
          {TASK_KINDS.map((name) => (
            <option value={name}>{KINDS[name].label}</option>
          ))}
        </select>
      </div>
      {fields.map(({ name }, i) => (
        <div class="inline" key={i}>
          <label for={`task-argument${i}`}>
            <Formula text={name} />
          </label>
          <input
            id={`task-argument${i}`}
            name={`argument${i}`}
            inputmode="numeric"
            autocomplete="off"
            onInput={() => setWrong([])}
            aria-invalid={String(wrong[i] !== undefined)}
            aria-describedby="task-wrong"
          />
        </div>
      ))}
      <button class="main" aria-busy={String(isBusy)}>
        Make
      </button>
      {wrong.length > 0 && (
        <p class="wrong" id="task-wrong">
          {wrong.find(Boolean)}
        </p>
      )}
      <Notice error={error} />
    </form>
  );
}
