/** A worker thread of `convlint check`: checks the tasks it is sent, in order. */
import { parentPort, workerData } from "node:worker_threads";
import { Checker, type Setup, type Task } from "./checker.ts";

const checker = new Checker(workerData as Setup);
parentPort!.on("message", (tasks: readonly Task[]) => {
  parentPort!.postMessage(tasks.map((task) => checker.check(task)));
});
