// What is not hot is an ordinary Express app: a route for each operation of the contract, and what answers the rest.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type OperationName, operations, regError } from '@reg/schema';
import express, { type NextFunction, type Request, type Response } from 'express';

type Perform = (
  name: OperationName,
  parameters: Readonly<Record<string, string>>,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
) => Promise<void>;

type Fail = (error: unknown, request: IncomingMessage, response: ServerResponse, requestId: string) => void;

export function createRouter(
  names: readonly OperationName[],
  perform: Perform,
  fail: Fail,
): (request: IncomingMessage, response: ServerResponse, requestId: string) => void {
  const app = express();
  app.disable('x-powered-by').enable('case sensitive routing').enable('strict routing');
  for (const [path, ofPath] of byPath(names)) {
    const route = app.route(path.replace(/\{(\w+)\}/g, ':$1'));
    for (const name of ofPath) {
      route[verbOf(name)]((request: Request, response: Response) =>
        perform(name, request.params as Record<string, string>, request, response, response.locals.requestId),
      );
    }
    route.all((request: Request, response: Response) => refuseMethod(request, response, ofPath));
  }
  app.use(() => {
    throw regError('not_found', 'there is nothing at this path: see docs/http-api.md');
  });
  // Express knows an error handler by its four parameters.
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) =>
    fail(error, request, response, response.locals.requestId),
  );
  return (request, response, requestId) => {
    Object.assign(response, { locals: { requestId } });
    app(request as Request, response as Response);
  };
}

function byPath(names: readonly OperationName[]): Map<string, OperationName[]> {
  const paths = new Map<string, OperationName[]>();
  for (const name of names) {
    const { path } = operations[name];
    paths.set(path, [...(paths.get(path) ?? []), name]);
  }
  return paths;
}

function verbOf(name: OperationName) {
  return operations[name].method.toLowerCase() as Lowercase<(typeof operations)[OperationName]['method']>;
}

/** RFC 9110 §15.5.6: what is allowed is said. OPTIONS too is refused: nothing is offered to other origins. */
function refuseMethod({ method }: Request, response: Response, names: readonly OperationName[]): never {
  const methods = names
    .flatMap((name) => (operations[name].method === 'GET' ? ['GET', 'HEAD'] : operations[name].method))
    .join(', ');
  response.setHeader('Allow', methods);
  throw regError('method_not_allowed', `${method} is not allowed here: ${methods}`);
}
