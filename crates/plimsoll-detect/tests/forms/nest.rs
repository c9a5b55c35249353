//! Variables of applications of Nest, which read them through a service or check them by a schema of Joi.

use crate::tree::{found, required};

/// What is required of an application whose module has this in it.
fn of(module: &str) -> (Vec<String>, Vec<String>) {
    let main = "import { NestFactory } from '@nestjs/core';\nimport { AppModule } from './app.module';\nasync function bootstrap() {\n  const app = await NestFactory.create(AppModule);\n  await app.listen(3000);\n}\nbootstrap();\n";
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"a","scripts":{"start:prod":"node dist/main","build":"nest build"},"dependencies":{"@nestjs/core":"11","@nestjs/config":"4"}}"#,
        ),
        ("src/main.ts", main),
        ("src/app.module.ts", module),
    ]);
    let all = detection.environment.iter().map(|one| one.name.clone());
    let all = all.collect();
    let required = required(&detection).into_iter().map(str::to_owned);
    (required.collect(), all)
}

#[test]
fn the_service_of_settings_reads_variables() {
    let (required, all) = of(
        "import { ConfigModule, ConfigService } from '@nestjs/config';\n@Injectable()\nexport class JwtStrategy extends PassportStrategy(Strategy) {\n  constructor(private readonly configService: ConfigService) {\n    super({ secretOrKey: configService.get<string>('JWT_SECRET') });\n  }\n}\n@Injectable()\nexport class Models {\n  constructor(private readonly config: ConfigService) {\n    this.key = config.getOrThrow('MODEL_KEY');\n    this.model = config.get('MODEL', 'small');\n    this.search = this.config.get('SEARCH_KEY');\n    this.port = this.config.get('app.port');\n  }\n}\n@Module({ imports: [ConfigModule.forRoot()], providers: [JwtStrategy, Models] })\nexport class AppModule {}\n",
    );
    assert_eq!(required, ["JWT_SECRET", "MODEL_KEY"]);
    assert_eq!(all, ["JWT_SECRET", "MODEL", "MODEL_KEY", "SEARCH_KEY"]);
}

#[test]
fn joi_wants_what_it_says_is_required() {
    let (required, all) = of(
        "import { ConfigModule } from '@nestjs/config';\nimport * as Joi from 'joi';\n@Module({ imports: [ConfigModule.forRoot({ validationSchema: Joi.object({\n  A_KEY: Joi.string().required(),\n  B_KEY: Joi.string(),\n  LEVEL: Joi.string().default('info'),\n}) })] })\nexport class AppModule {}\n",
    );
    assert_eq!(required, ["A_KEY"]);
    assert_eq!(all, ["A_KEY", "B_KEY", "LEVEL"]);
}

#[test]
fn a_class_says_what_the_environment_has() {
    let (required, all) = of(
        "import { ConfigModule, ConfigService } from '@nestjs/config';\nimport { plainToInstance } from 'class-transformer';\nimport { IsOptional, IsString, validateSync } from 'class-validator';\nclass Settings {\n  @IsString()\n  A_KEY!: string;\n\n  @IsString()\n  @IsOptional()\n  B_KEY: string;\n\n  @IsString()\n  LEVEL = 'info';\n\n  own = 1;\n}\nfunction validate(given) {\n  const made = plainToInstance(Settings, given);\n  if (validateSync(made).length > 0) throw new Error('x');\n  return made;\n}\n@Injectable()\nexport class Logs {\n  constructor(private readonly config: ConfigService) {\n    this.level = config.getOrThrow('LEVEL');\n  }\n}\n@Module({ imports: [ConfigModule.forRoot({ validate })], providers: [Logs] })\nexport class AppModule {}\n",
    );
    assert_eq!(required, ["A_KEY"]);
    assert_eq!(all, ["A_KEY", "B_KEY", "LEVEL"]);
}
