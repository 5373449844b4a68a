/** What src/last-word.generated.ts must hold. */
export declare function embedded(): string;
