// The app by itself: whoever wants it listed has to register it, as deploy/systemd does.
import { start } from './start.ts';

await start();
